/** The columns of the Audit table: what a cell shows, how wide it is. */
import type { Row } from "@central-llm/functions/api/contract-audit";
import { Link } from "@tanstack/react-router";
import type { Column } from "../control/data-table.tsx";
import * as Format from "../format.ts";
import { VerifiedBadge } from "../record/chain-proof.tsx";
import * as TimeZone from "../time-zone.ts";
import { useZone } from "../zone-context.tsx";
import { COLUMNS, type ColumnName } from "./column-name.ts";
import { OUTCOMES, PROFILES } from "./labels.ts";
import { Marks, marksOf, Status } from "./marks.tsx";

/** The row's own link: opens the record beside the list. Its name says which call it is. */
function Received({ row }: { row: Row }) {
  const zone = useZone();
  return (
    <Link
      to="/audit"
      search={(search: object) => ({ ...search, record: row.requestId, recordAt: row.receivedAt })}
      resetScroll={false}
      className="row-link"
      aria-label={`${TimeZone.seconds(row.receivedAt, zone)}, ${row.projectId}, ${row.userId}, status ${row.statusCode}`}
    >
      <time dateTime={row.receivedAt} title={TimeZone.full(row.receivedAt, zone)}>
        {TimeZone.seconds(row.receivedAt, zone)}
      </time>
    </Link>
  );
}

type Cells = Record<ColumnName, Omit<Column<Row>, "id" | "header">>;

const text = (width: number, value: (row: Row) => string | null): Omit<Column<Row>, "id" | "header"> => ({
  width,
  cell: (row) => value(row) ?? Format.NOTHING,
  title: value,
});
const number = (width: number, value: (row: Row) => string): Omit<Column<Row>, "id" | "header"> => ({
  width,
  numeric: true,
  cell: value,
});

const CELLS: Cells = {
  receivedAt: { width: 20, cell: (row) => <Received row={row} /> },
  project: text(14, (row) => row.projectId),
  user: text(14, (row) => row.userId),
  model: text(13, (row) => row.model),
  requestType: text(14, (row) => row.requestType),
  status: { width: 8, cell: (row) => <Status code={row.statusCode} /> },
  outcome: text(18, (row) => OUTCOMES[row.outcome]),
  latency: number(11, (row) => Format.milliseconds(row.latencyMs)),
  firstToken: number(12, (row) => Format.milliseconds(row.timeToFirstTokenMs)),
  tokens: number(12, (row) => `${Format.count(row.promptTokens)} / ${Format.count(row.completionTokens)}`),
  cost: number(10, (row) => Format.dollars(row.costUsd)),
  profile: text(12, (row) => row.profile && PROFILES[row.profile]),
  marks: { width: 18, cell: (row) => <Marks row={row} />, title: (row) => marksOf(row) },
  proof: { width: 21, cell: (row) => <VerifiedBadge id={row.requestId} receivedAt={row.receivedAt} /> },
  promptPreview: text(44, (row) => row.promptPreview),
  responsePreview: text(44, (row) => row.responsePreview),
  requestId: { ...text(40, (row) => row.requestId), cell: (row) => <code>{row.requestId}</code> },
};

const PREVIEWS: readonly ColumnName[] = ["promptPreview", "responsePreview"];
export const showsPreviews = (shown: readonly ColumnName[]) => PREVIEWS.some((name) => shown.includes(name));

export function auditColumns(latency?: Column<Row>["sort"]): Column<Row>[] {
  return (Object.keys(COLUMNS) as ColumnName[]).map((id) => ({
    id,
    header: COLUMNS[id],
    zoned: id === "receivedAt",
    ...CELLS[id],
    ...(id === "latency" && latency ? { sort: latency } : {}),
  }));
}
