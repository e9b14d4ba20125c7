/** The columns of the Audit table: what a cell shows, how wide it is. */
import type { Row } from "@central-llm/functions/api/contract-audit";
import { Link } from "@tanstack/react-router";
import type { Column } from "../control/data-table.tsx";
import * as Format from "../format.ts";
import * as TimeZone from "../time-zone.ts";
import { useZone } from "../zone-context.tsx";
import { COLUMNS, type ColumnName } from "./column-name.ts";
import { OUTCOMES, PROFILES } from "./labels.ts";
import { Marks, Status } from "./marks.tsx";

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
  receivedAt: { width: 23, cell: (row) => <Received row={row} /> },
  project: text(20, (row) => row.projectId),
  user: text(26, (row) => row.userId),
  model: text(24, (row) => row.model),
  requestType: text(14, (row) => row.requestType),
  status: { width: 10, cell: (row) => <Status code={row.statusCode} /> },
  outcome: text(18, (row) => OUTCOMES[row.outcome]),
  latency: number(14, (row) => Format.milliseconds(row.latencyMs)),
  firstToken: number(14, (row) => Format.milliseconds(row.timeToFirstTokenMs)),
  promptTokens: number(12, (row) => Format.count(row.promptTokens)),
  completionTokens: number(12, (row) => Format.count(row.completionTokens)),
  cost: number(13, (row) => Format.dollars(row.costUsd)),
  profile: text(12, (row) => row.profile && PROFILES[row.profile]),
  marks: { width: 30, cell: (row) => <Marks row={row} /> },
  promptPreview: text(44, (row) => row.promptPreview),
  responsePreview: text(44, (row) => row.responsePreview),
  requestId: { ...text(40, (row) => row.requestId), cell: (row) => <code>{row.requestId}</code> },
};

const PREVIEWS: readonly ColumnName[] = ["promptPreview", "responsePreview"];
export const showsPreviews = (shown: readonly ColumnName[]) => PREVIEWS.some((name) => shown.includes(name));

/** @param zoneName said in the heading of times, once for all rows */
export function auditColumns(zoneName: string, latency?: Column<Row>["sort"]): Column<Row>[] {
  return (Object.keys(COLUMNS) as ColumnName[]).map((id) => ({
    id,
    header: id === "receivedAt" ? `${COLUMNS[id]} (${zoneName})` : COLUMNS[id],
    ...CELLS[id],
    ...(id === "latency" && latency ? { sort: latency } : {}),
  }));
}
