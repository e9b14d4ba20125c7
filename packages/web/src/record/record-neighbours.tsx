/** The same user's calls before and after. */
import type { Row } from "@central-llm/functions/api/contract-audit";
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { useApi } from "../api-query.ts";
import { Marks, Status } from "../audit/marks.tsx";
import type { Column } from "../control/data-table.tsx";
import { DataTable } from "../control/data-table.tsx";
import { Failed, Loading } from "../control/state.tsx";
import * as Format from "../format.ts";
import { ShortTime } from "../zone-context.tsx";
import { Section } from "./facts.tsx";

/** Opens another record where this one is. */
export type OnOther = (row: Row) => void;

const columns = (current: Row, onOther: OnOther | undefined): Column<Row>[] => [
  {
    id: "at",
    header: "Received",
    zoned: true,
    width: 28,
    cell: (row) =>
      row === current ? (
        <strong>
          <ShortTime iso={row.receivedAt} /> (this one)
        </strong>
      ) : (
        <Link
          to="/records/$id"
          params={{ id: row.requestId }}
          search={{ receivedAt: row.receivedAt }}
          onClick={(event) => {
            if (!onOther || event.metaKey || event.ctrlKey || event.shiftKey) return;
            event.preventDefault();
            onOther(row);
          }}
        >
          <ShortTime iso={row.receivedAt} />
        </Link>
      ),
  },
  {
    id: "project",
    header: "Project",
    width: 14,
    cell: (row) => row.projectId,
    title: (row) => row.projectId,
  },
  { id: "model", header: "Model", width: 15, cell: (row) => row.model ?? "–", title: (row) => row.model },
  { id: "status", header: "Status", width: 8, cell: (row) => <Status code={row.statusCode} /> },
  {
    id: "latency",
    header: "Latency",
    width: 10,
    numeric: true,
    cell: (row) => Format.milliseconds(row.latencyMs),
  },
  { id: "marks", header: "Marks", width: 20, cell: (row) => <Marks row={row} /> },
];

export function RecordNeighbours({ row, onOther }: { row: Row; onOther: OnOther | undefined }) {
  const input = { params: { id: row.requestId }, query: { receivedAt: row.receivedAt, count: 5 } };
  const { data, error, refetch } = useApi("neighbours", input);
  const shown = useMemo(() => columns(row, onOther), [row, onOther]);
  return (
    <Section title={`Calls of ${row.userId} around it`}>
      {error && <Failed error={error} what="neighbouring calls" onRetry={() => refetch()} />}
      {!data && !error && <Loading what="neighbouring calls" rows={5} />}
      {data && (
        <DataTable
          label="Neighbouring calls"
          columns={shown}
          rows={[...data.after].reverse().concat(row, data.before)}
          rowId={({ requestId, receivedAt }) => `${receivedAt}#${requestId}`}
          openId={`${row.receivedAt}#${row.requestId}`}
        />
      )}
    </Section>
  );
}
