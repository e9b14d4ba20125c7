/** The list: its rows, its pages, and what it says when there are none. */
import type { Row } from "@central-llm/functions/api/contract-audit";
import { useCanGoBack, useNavigate } from "@tanstack/react-router";
import { useMemo } from "react";
import { Button } from "../control/button.tsx";
import { DataTable } from "../control/data-table.tsx";
import { Empty, Failed, Loading } from "../control/state.tsx";
import * as Format from "../format.ts";
import { useMay } from "../me.ts";
import { auditColumns, showsPreviews } from "./audit-columns.tsx";
import { filtersSet, listQuery } from "./audit-search.ts";
import { columnsOf } from "./column-name.ts";
import { ProjectChoice } from "./project-choice.tsx";
import { useRowKeys } from "./row-keys.ts";
import { SearchProgress } from "./search-progress.tsx";
import type { AuditState } from "./use-audit.ts";
import { useSearchOn } from "./use-search-on.ts";
import { WindowVerdict } from "./window-verdict.tsx";

export const rowId = (row: Row) => `${row.receivedAt}#${row.requestId}`;

/** The table with its keyboard, for the list and for the live tail. */
export function AuditTable({
  audit,
  rows,
  stale,
}: {
  audit: AuditState;
  rows: readonly Row[];
  stale?: boolean;
}) {
  const { search, look, go } = audit;
  const visible = useMemo(() => columnsOf(search.columns), [search.columns]);
  const slowest = search.sort === "slowest";
  const columns = useMemo(
    () =>
      auditColumns({
        direction: slowest ? "descending" : null,
        onPress: () => look({ sort: slowest ? undefined : "slowest", live: undefined }),
      }),
    [slowest, look],
  );
  useRowKeys(search.record === undefined);
  return (
    <DataTable
      label={slowest ? "Slowest calls" : "Calls"}
      columns={columns}
      rows={rows}
      rowId={rowId}
      visible={visible}
      density={search.density ?? "compact"}
      stale={stale ?? false}
      onOpen={(row) => go({ record: row.requestId, recordAt: row.receivedAt })}
      openId={search.record && search.recordAt ? `${search.recordAt}#${search.record}` : undefined}
    />
  );
}

export function AuditResults({ audit }: { audit: AuditState }) {
  const { search, range, look, go } = audit;
  const previews = useMay("preview.read") && showsPreviews(columnsOf(search.columns));
  const needsProject = search.sort === "slowest" && search.project === undefined;
  const found = useSearchOn(listQuery(search, range, previews), !needsProject);
  const { last, rows, error, isPlaceholderData, isFetching, refetch } = found;
  const navigate = useNavigate();
  // Not out of the console: a link may have led to this page of the list.
  const mayGoBack = useCanGoBack();
  if (needsProject) return <ProjectChoice audit={audit} />;
  if (error && !found.isShort) return <Failed error={error} what="the calls" onRetry={() => refetch()} />;
  if (!last) return <Loading what="calls" rows={14} />;
  // Later pages belong to the same window: presets are pinned to the instant at which its first page was read.
  const toPage = (cursor: string | undefined) =>
    go({ cursor, at: cursor === undefined || search.from ? undefined : (search.at ?? range.to) });
  const filtered = filtersSet(search).length > 0;
  return (
    <>
      {rows.length > 0 && <AuditTable audit={audit} rows={rows} stale={isPlaceholderData} />}
      {found.isShort && error && <Failed error={error} what="older calls" onRetry={found.tryAgain} />}
      {found.isShort && !error && (found.answers > 1 || rows.length === 0 || !found.isSearchingOn) && (
        <SearchProgress
          searchedUntil={last.searchedUntil}
          from={last.from}
          to={last.to}
          examined={found.examined}
          isSearchingOn={found.isSearchingOn}
          onStop={found.stop}
          onGoOn={found.goOn}
        />
      )}
      {rows.length === 0 && !last.partial && (
        <Empty
          title={
            search.cursor ? "No more calls." : filtered ? "No call matches." : "No calls in this window."
          }
        >
          <p>
            <WindowVerdict range={range} long />
          </p>
          {filtered && (
            <Button
              onPress={() =>
                navigate({ to: "/audit", search: { last: search.last, from: search.from, to: search.to } })
              }
            >
              Remove all filters
            </Button>
          )}
          {!filtered && search.last !== "30d" && (
            <Button onPress={() => look({ last: "30d", from: undefined, to: undefined })}>
              Look at the last 30 days
            </Button>
          )}
        </Empty>
      )}
      <div className="pager">
        <span aria-live="polite">
          {isFetching && isPlaceholderData ? "Loading …" : Format.counted(rows.length, "call")}
          {rows.length > 0 && (
            <>
              {" · "}
              <WindowVerdict range={range} />
            </>
          )}
        </span>
        <nav className="row" aria-label="Pages of calls">
          <Button isDisabled={search.cursor === undefined} onPress={() => toPage(undefined)}>
            First page
          </Button>
          <Button isDisabled={search.cursor === undefined || !mayGoBack} onPress={() => history.back()}>
            Previous
          </Button>
          <Button isDisabled={last.nextCursor === null} onPress={() => toPage(last.nextCursor ?? undefined)}>
            Next page
          </Button>
        </nav>
      </div>
    </>
  );
}
