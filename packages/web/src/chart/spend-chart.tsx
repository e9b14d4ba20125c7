/** Dollars in each interval. */
import type { Series } from "@central-llm/functions/api/contract-chart";
import { useCallback, useMemo } from "react";
import UPlot from "uplot";
import * as Format from "../format.ts";
import type { Zone } from "../time-zone.ts";
import * as TimeZone from "../time-zone.ts";
import { axes } from "./axes.ts";
import { type Colours, Plot } from "./plot.tsx";

export default function SpendChart({ series, zone }: { series: Series; zone: Zone }) {
  const data = useMemo((): UPlot.AlignedData => {
    const points = series.groups[0]?.points ?? [];
    return [series.times.map((time) => Date.parse(time) / 1000), points.map(({ costUsd }) => costUsd)];
  }, [series]);
  const from = Date.parse(series.from) / 1000;
  const to = Date.parse(series.to) / 1000;
  const options = useCallback(
    (colours: Colours) => {
      const { axis, times, ...shared } = axes(colours, zone);
      return {
        ...shared,
        scales: {
          x: { range: (): [number, number] => [from, to] },
          y: { range: (_: UPlot, __: number, max: number): [number, number] => [0, (max || 0.01) * 1.05] },
        },
        axes: [
          { ...axis, values: times },
          {
            ...axis,
            // As wide as its longest figure: sums may be fractions of a cent.
            size: (_: UPlot, values: string[] | null) =>
              Math.max(60, 18 + 6.5 * Math.max(0, ...(values ?? []).map(({ length }) => length))),
            values: (_: UPlot, ticks: number[]) => ticks.map((tick) => Format.dollars(tick)),
          },
        ],
        series: [
          {},
          {
            stroke: colours.accent,
            fill: colours.accent,
            width: 0,
            paths: UPlot.paths.bars?.({ size: [0.8, 24], align: 1, gap: 1 }),
            points: { show: false },
          },
        ],
      } as Omit<UPlot.Options, "width" | "height">;
    },
    [from, to, zone],
  );
  const span = `from ${TimeZone.short(series.from, zone)} to ${TimeZone.short(series.to, zone)} ${TimeZone.name(zone)}`;
  return (
    <Plot
      label={`${Format.dollars(series.total.costUsd)} spent ${span}`}
      data={data}
      height={200}
      options={options}
    />
  );
}
