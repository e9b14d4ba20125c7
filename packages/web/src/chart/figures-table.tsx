/** A chart's figures as a table: for screen readers, and for reading exact values. */
import type { Series } from "@central-llm/functions/api/contract-chart";
import { useMemo } from "react";
import { type Column, DataTable } from "../control/data-table.tsx";
import { Empty } from "../control/state.tsx";
import * as Format from "../format.ts";
import { ShortTime } from "../zone-context.tsx";

type Point = Series["total"] & { time: string };

const figure = (id: string, header: string, cell: (point: Point) => string): Column<Point> => ({
  id,
  header,
  width: 14,
  numeric: true,
  cell,
});

const COLUMNS: Column<Point>[] = [
  { id: "time", zoned: true, header: "From", width: 27, cell: ({ time }) => <ShortTime iso={time} /> },
  figure("requests", "Calls", ({ requests }) => Format.count(requests)),
  figure("errors", "Errors", ({ errors }) => Format.count(errors)),
  figure("p50", "p50", ({ p50Ms }) => Format.milliseconds(p50Ms)),
  figure("p95", "p95", ({ p95Ms }) => Format.milliseconds(p95Ms)),
  figure("p99", "p99", ({ p99Ms }) => Format.milliseconds(p99Ms)),
  figure("tokens", "Tokens", ({ promptTokens, completionTokens }) =>
    Format.count(promptTokens + completionTokens),
  ),
  figure("cost", "Cost", ({ costUsd }) => Format.dollars(costUsd)),
];

export default function FiguresTable({ series }: { series: Series }) {
  const points = useMemo(
    () =>
      series.times.flatMap((time, i) => {
        const point = series.groups[0]?.points[i];
        return point && point.requests > 0 ? [{ time, ...point }] : [];
      }),
    [series],
  );
  if (points.length === 0) return <Empty title="No calls in this window." />;
  return <DataTable label="Figures over time" columns={COLUMNS} rows={points} rowId={({ time }) => time} />;
}
