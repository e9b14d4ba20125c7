/**
 * The list's rows at one address. An answer that came back short, because it would have taken too much work, is followed by the
 * next one until the page is full, the list ends, or `ANSWERS` of them are there: nobody has to press for each.
 */
import type { AuditPage, AuditQuery } from "@central-llm/functions/api/contract-audit";
import { keepPreviousData, useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { call } from "../api-client.ts";
import type { ApiError } from "../api-error.ts";

/** Answers asked for by themselves at first, and again at each press of "Go on". */
export const ANSWERS = 10;
const ROWS = 50;

interface Place {
  cursor: string | undefined;
  limit: number;
}

/** What was allowed at an address: it ends with it. */
interface Allowed {
  address: string;
  answers: number;
}

export function useSearchOn(query: AuditQuery, enabled: boolean) {
  const wanted = Number(query.limit ?? ROWS);
  const address = JSON.stringify(query);
  const queryKey = useMemo(() => ["audit", "searching on", address], [address]);
  const client = useQueryClient();
  const {
    data,
    error,
    isPlaceholderData,
    isFetching,
    isFetchingNextPage,
    hasNextPage,
    fetchNextPage,
    refetch,
  } = useInfiniteQuery<AuditPage, ApiError, { pages: AuditPage[] }, readonly unknown[], Place>({
    queryKey,
    queryFn: ({ signal, pageParam }) => call("audit", { query: { ...query, ...pageParam } }, signal),
    initialPageParam: { cursor: query.cursor, limit: wanted },
    getNextPageParam: (last, pages) =>
      last.partial && last.nextCursor !== null
        ? { cursor: last.nextCursor, limit: wanted - rowsOf(pages).length }
        : null,
    placeholderData: keepPreviousData,
    enabled,
  });
  const [allowed, setAllowed] = useState<Allowed>({ address, answers: ANSWERS });
  const most = allowed.address === address ? allowed.answers : ANSWERS;
  const pages = data?.pages ?? [];
  const goesOn = hasNextPage && !isPlaceholderData && error === null && pages.length < most;
  useEffect(() => {
    if (goesOn && !isFetching) void fetchNextPage();
  }, [goesOn, isFetching, fetchNextPage]);
  const last = pages.at(-1);
  return {
    /** Undefined until the first answer is there. */
    last,
    rows: useMemo(() => rowsOf(data?.pages ?? []), [data]),
    examined: pages.reduce((sum, { work }) => sum + work.examined, 0),
    answers: pages.length,
    /** The last answer came back short, and there is more to search. */
    isShort: hasNextPage && !isPlaceholderData,
    isSearchingOn: goesOn || isFetchingNextPage,
    error,
    isPlaceholderData,
    isFetching,
    refetch,
    /** Asks again for the answer that failed. */
    tryAgain: () => void fetchNextPage(),
    stop: () => {
      setAllowed({ address, answers: 0 });
      void client.cancelQueries({ queryKey });
    },
    goOn: () => setAllowed({ address, answers: pages.length + ANSWERS }),
  };
}

const rowsOf = (pages: readonly AuditPage[]) => pages.flatMap(({ rows }) => rows);
