/** What all charts have in common: zone, colours, type. */
import UPlot from "uplot";
import type { Zone } from "../time-zone.ts";
import type { Colours } from "./plot.tsx";

const HOUR = 3600;
const DAY = 86_400;

/** Times on the day's clock of 24 hours; the date once where it begins. */
const TIMES: UPlot.Axis.Values = [
  [365 * DAY, "{YYYY}", null, null, null, null, null, null, 1],
  [DAY, "{DD} {MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [HOUR, "{HH}:{mm}", "\n{DD} {MMM}", null, "\n{DD} {MMM}", null, null, null, 1],
  [60, "{HH}:{mm}", "\n{DD} {MMM}", null, "\n{DD} {MMM}", null, null, null, 1],
  [1, "{HH}:{mm}:{ss}", "\n{DD} {MMM}", null, "\n{DD} {MMM}", null, null, null, 1],
];

/** Steps of an axis that counts: half a call would read as one. */
export const WHOLE: number[] = Array.from({ length: 12 }, (_, power) =>
  [1, 2, 5].map((step) => step * 10 ** power),
).flat();

export const axes = (colours: Colours, zone: Zone) => ({
  tzDate: (time: number) =>
    zone === "utc" ? UPlot.tzDate(new Date(time * 1000), "Etc/UTC") : new Date(time * 1000),
  legend: { show: false },
  padding: [8, 16, 0, 0] as UPlot.Padding,
  times: TIMES,
  axis: {
    stroke: colours.muted,
    grid: { stroke: colours.line, width: 1 },
    ticks: { stroke: colours.line, width: 1, size: 4 },
    font: "11px system-ui, sans-serif",
  },
});
