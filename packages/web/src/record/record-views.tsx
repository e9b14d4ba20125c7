/** Who looked at the record, and why. */
import type { AccessEntry } from "@central-llm/functions/api/contract-access";
import { ACTIONS } from "../access-log/access-search.ts";
import { useApi } from "../api-query.ts";
import { type Column, DataTable } from "../control/data-table.tsx";
import { Failed, Loading } from "../control/state.tsx";
import { ShortTime } from "../zone-context.tsx";
import { Section } from "./facts.tsx";

/** Until the trail took one's own view in: about a minute. */
const MOST_LOOKS = 60;

const COLUMNS: Column<AccessEntry>[] = [
  { id: "at", zoned: true, header: "When", width: 20, cell: ({ at }) => <ShortTime iso={at} /> },
  { id: "user", header: "Who", width: 24, cell: ({ userId }) => userId, title: ({ userId }) => userId },
  { id: "action", header: "What", width: 16, cell: ({ action }) => ACTIONS[action] },
  {
    id: "reason",
    header: "Reason",
    width: 36,
    cell: ({ reason }) => reason ?? "–",
    title: ({ reason }) => reason,
  },
];

export function RecordViews({
  id,
  receivedAt,
  awaited,
}: {
  id: string;
  receivedAt: string | undefined;
  /** One's own view, which takes its way through the trail as any record does. */
  awaited: string | null;
}) {
  const isThere = (views: AccessEntry[] = []) => views.some(({ requestId }) => requestId === awaited);
  const { data, error, refetch } = useApi(
    "views",
    { params: { id }, query: { receivedAt } },
    {
      refetchInterval: ({ state }) =>
        awaited !== null && !isThere(state.data?.views) && state.dataUpdateCount < MOST_LOOKS ? 1_000 : false,
    },
  );
  return (
    <Section title="Who viewed it">
      {error && <Failed error={error} what="the views" onRetry={() => refetch()} />}
      {!data && !error && <Loading what="views" rows={2} />}
      {data?.views.length === 0 && <p className="inside muted">Nobody has read its content yet.</p>}
      {data && data.views.length > 0 && (
        <DataTable
          label="Views of this record"
          columns={COLUMNS}
          rows={data.views}
          rowId={({ requestId }) => requestId}
        />
      )}
      {data?.more && <p className="inside muted">There are more; the access log has all of them.</p>}
    </Section>
  );
}
