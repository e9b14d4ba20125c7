/** Who used the console for what: the console's own records in the same trail. */
import type { AccessEntry } from "@central-llm/functions/api/contract-access";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { useApi } from "../api-query.ts";
import { Status } from "../audit/marks.tsx";
import { WindowVerdict } from "../audit/window-verdict.tsx";
import { Button } from "../control/button.tsx";
import { type Column, DataTable } from "../control/data-table.tsx";
import { Choice, CommittedInput } from "../control/field.tsx";
import { RangePicker } from "../control/range-picker.tsx";
import { Empty, Failed, Loading, Note } from "../control/state.tsx";
import * as Format from "../format.ts";
import { Guarded } from "../guarded.tsx";
import { PageHead } from "../layout.tsx";
import * as TimeRange from "../time-range.ts";
import type { Zone } from "../time-zone.ts";
import { ShortTime, Time, useZone } from "../zone-context.tsx";
import { ACTIONS } from "./access-search.ts";

const route = getRouteApi("/access-log");

/** Targets of these are records, which have a page. */
const OF_RECORDS: ReadonlySet<AccessEntry["action"]> = new Set(["view_body"]);

const COLUMNS: Column<AccessEntry>[] = [
  { id: "at", zoned: true, header: "When", width: 20, cell: ({ at }) => <ShortTime iso={at} /> },
  { id: "user", header: "Who", width: 17, cell: ({ userId }) => userId, title: ({ userId }) => userId },
  { id: "action", header: "What", width: 16, cell: ({ action }) => ACTIONS[action] },
  {
    id: "target",
    header: "Of what",
    width: 20,
    title: ({ target }) => target,
    cell: ({ action, target }) =>
      target && OF_RECORDS.has(action) ? (
        <Link to="/records/$id" params={{ id: target }} search={{}}>
          {target}
        </Link>
      ) : (
        (target ?? "–")
      ),
  },
  { id: "project", header: "Project", width: 12, cell: ({ projectId }) => projectId ?? "–" },
  {
    id: "reason",
    header: "Reason",
    width: 18,
    cell: ({ reason }) => reason ?? "–",
    title: ({ reason }) => reason,
  },
  { id: "status", header: "Status", width: 8, cell: ({ statusCode }) => <Status code={statusCode} /> },
  {
    id: "record",
    header: "Record",
    width: 9,
    cell: ({ requestId, at }) => (
      <Link
        to="/records/$id"
        params={{ id: requestId }}
        search={{}}
        aria-label={`Open the audit record of the access at ${at}`}
      >
        Open
      </Link>
    ),
  },
];

function AccessLog() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const zone = useZone();
  const [now, setNow] = useState(Date.now);
  const range = useMemo(() => TimeRange.resolve(search, zone, now), [search, zone, now]);
  const query = { ...range, user: search.user, action: search.action, cursor: search.cursor };
  const { data, error, refetch, isPlaceholderData } = useApi("accessLog", { query }, { keep: true });
  const look = (change: object) => {
    setNow(Date.now());
    navigate({ search: (search) => ({ ...search, cursor: undefined, at: undefined, ...change }) });
  };
  const toPage = (cursor: string | undefined) =>
    navigate({
      search: (search) => ({
        ...search,
        cursor,
        at: cursor && !search.from ? (search.at ?? range.to) : undefined,
      }),
    });
  const setZone = (zone: Zone) =>
    navigate({
      search: (search) => ({ ...search, utc: zone === "utc" ? ("1" as const) : undefined }),
      replace: true,
    });
  return (
    <>
      <PageHead title="Access log">
        <RangePicker search={search} onChange={look} onZone={setZone} />
        <Button onPress={() => look({})}>Refresh</Button>
      </PageHead>
      <search className="panel filters" aria-label="Filters">
        <div className="filter-row">
          <CommittedInput
            label="Who"
            placeholder="Anybody"
            value={search.user ?? ""}
            onCommit={(user) => look({ user: user || undefined })}
          />
          <Choice
            label="What"
            any="Anything"
            options={ACTIONS}
            value={search.action ?? null}
            onChange={(action) => look({ action: action ?? undefined })}
          />
        </div>
      </search>
      <p className="muted">
        What was done through the console. The gateway records each call of its administration itself:{" "}
        <Link
          to="/audit"
          search={{ requestType: "admin", last: search.last, from: search.from, to: search.to }}
        >
          administration of keys
        </Link>
        .
      </p>
      <section className="panel" aria-label="Accesses found">
        {error && <Failed error={error} what="the access log" onRetry={() => refetch()} />}
        {!data && !error && <Loading what="the access log" />}
        {data && data.entries.length > 0 && (
          <DataTable
            label="Accesses"
            columns={COLUMNS}
            rows={data.entries}
            rowId={({ requestId }) => requestId}
            stale={isPlaceholderData}
          />
        )}
        {data?.partial && data.nextCursor && (
          <Note
            tone="warn"
            actions={<Button onPress={() => toPage(data.nextCursor ?? undefined)}>Search on</Button>}
          >
            Searched until <Time iso={data.searchedUntil} />.
          </Note>
        )}
        {data && data.entries.length === 0 && !data.partial && (
          <Empty
            title={
              search.user || search.action ? "No access matches." : "Nobody used the console in this window."
            }
          >
            <p>
              <WindowVerdict range={range} long />
            </p>
          </Empty>
        )}
        {data && (
          <div className="pager">
            <span role="status">{Format.counted(data.entries.length, "access", "accesses")}</span>
            <nav className="row" aria-label="Pages of accesses">
              <Button isDisabled={search.cursor === undefined} onPress={() => toPage(undefined)}>
                First page
              </Button>
              <Button
                isDisabled={data.nextCursor === null}
                onPress={() => toPage(data.nextCursor ?? undefined)}
              >
                Next page
              </Button>
            </nav>
          </div>
        )}
      </section>
    </>
  );
}

export function AccessLogPage() {
  return (
    <Guarded permission="access-log.read" title="Access log">
      <AccessLog />
    </Guarded>
  );
}
