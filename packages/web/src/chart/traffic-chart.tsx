/** Calls and errors as bars, p95 as a line. */
import type { Series } from "@central-llm/functions/api/contract-chart";
import { useCallback, useMemo } from "react";
import UPlot from "uplot";
import * as Format from "../format.ts";
import type { Zone } from "../time-zone.ts";
import * as TimeZone from "../time-zone.ts";
import { axes, WHOLE } from "./axes.ts";
import { type Colours, Plot } from "./plot.tsx";

const SECONDS = { "1m": 60, "5m": 300, "15m": 900, "1h": 3600, "6h": 21_600, "1d": 86_400 } as const;
const HEIGHT = 150;

export default function TrafficChart({
  series,
  zone,
  height = HEIGHT,
  onBrush,
}: {
  series: Series;
  zone: Zone;
  height?: number;
  /** ISO 8601 instants. */
  onBrush?: (from: string, to: string) => void;
}) {
  const data = useMemo((): UPlot.AlignedData => {
    const points = series.groups[0]?.points ?? [];
    return [
      series.times.map((time) => Date.parse(time) / 1000),
      points.map(({ requests }) => requests),
      points.map(({ errors }) => errors),
      points.map(({ p95Ms }) => p95Ms),
    ];
  }, [series]);
  const from = Date.parse(series.from) / 1000;
  const to = Date.parse(series.to) / 1000;
  const step = SECONDS[series.interval];
  const options = useCallback(
    (colours: Colours) => {
      const { axis, times, ...shared } = axes(colours, zone);
      const bars = UPlot.paths.bars?.({ size: [0.8, 24], align: 1, gap: 1 });
      return {
        ...shared,
        scales: {
          x: {
            range: (): [number, number] => [Math.min(from, data[0]?.[0] ?? from), Math.max(to, from + step)],
          },
          y: { range: (_: UPlot, __: number, max: number): [number, number] => [0, Math.max(1, max) * 1.05] },
          ms: {
            range: (_: UPlot, __: number, max: number): [number, number] => [0, Math.max(1, max ?? 1) * 1.05],
          },
        },
        axes: [
          { ...axis, values: times },
          {
            ...axis,
            size: 46,
            incrs: WHOLE,
            values: (_: UPlot, ticks: number[]) => ticks.map(Format.shortCount),
          },
          {
            ...axis,
            side: 1,
            size: 56,
            scale: "ms",
            grid: { show: false },
            values: (_: UPlot, ticks: number[]) =>
              ticks.map((tick) => (tick === 0 ? "0" : Format.milliseconds(tick))),
          },
        ],
        series: [
          {},
          { stroke: colours.accent, fill: colours.accent, width: 0, paths: bars, points: { show: false } },
          { stroke: colours.bad, fill: colours.bad, width: 0, paths: bars, points: { show: false } },
          {
            stroke: colours.warn,
            scale: "ms",
            width: 1.5,
            spanGaps: true,
            points: { show: data[0].length < 3 },
          },
        ],
      } as Omit<UPlot.Options, "width" | "height">;
    },
    [data, from, to, step, zone],
  );
  const { total } = series;
  const label = `${Format.counted(total.requests, "call")}, ${Format.counted(total.errors, "error")}, 95 % within ${Format.milliseconds(total.p95Ms)}, from ${TimeZone.short(series.from, zone)} to ${TimeZone.short(series.to, zone)} ${TimeZone.name(zone)}${onBrush ? ". Drag over it to choose a range; the time range button does the same" : ""}`;
  return (
    <Plot
      label={label}
      data={data}
      height={height}
      options={options}
      {...(onBrush
        ? {
            onBrush: (first, last) =>
              onBrush(
                new Date(Math.floor(first) * 1000).toISOString(),
                new Date(Math.ceil(last) * 1000).toISOString(),
              ),
          }
        : {})}
    />
  );
}
