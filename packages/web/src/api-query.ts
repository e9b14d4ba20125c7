/** The API's answers in React: one cache, keyed by route and input. */
import { keepPreviousData, QueryClient, type UseQueryOptions, useQuery } from "@tanstack/react-query";
import { type Answer, call, type Input, type RouteName } from "./api-client.ts";
import { ApiError } from "./api-error.ts";

/** Only what may pass by itself is tried again: no answer, or the server's own failure. */
function worthTrying(count: number, error: unknown): boolean {
  return count < 1 && error instanceof ApiError && (error.status === 0 || error.status >= 500);
}

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: { staleTime: 30_000, retry: worthTrying, retryDelay: 500, refetchOnWindowFocus: false },
  },
});

type Options<N extends RouteName> = Omit<
  UseQueryOptions<Answer<N>, ApiError>,
  "queryKey" | "queryFn" | "placeholderData"
> & {
  /** Shows the answer to the last question until the new one is there. */
  keep?: boolean;
};

export function useApi<N extends RouteName>(name: N, input: Input<N>, { keep, ...options }: Options<N> = {}) {
  return useQuery<Answer<N>, ApiError>({
    queryKey: [name, input],
    queryFn: ({ signal }) => call(name, input, signal),
    ...(keep ? { placeholderData: keepPreviousData } : {}),
    ...options,
  } as UseQueryOptions<Answer<N>, ApiError>);
}

/** Who is signed in does not change, and budgets are asked of the gateway, which audits every question. */
const KEPT: readonly unknown[] = ["me", "budgets"] satisfies RouteName[];

/** Asks again for all that the page shows of the trail. */
export function refreshPage(): Promise<void> {
  return queryClient.invalidateQueries({ predicate: ({ queryKey }) => !KEPT.includes(queryKey[0]) });
}

/** Asks again wherever an answer of these routes is shown. */
export function refresh(...names: RouteName[]): Promise<unknown> {
  return Promise.all(names.map((name) => queryClient.invalidateQueries({ queryKey: [name] })));
}
