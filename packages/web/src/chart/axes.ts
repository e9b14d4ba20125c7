/** What all charts have in common: zone, colours, type. */
import UPlot from "uplot";
import type { Zone } from "../time-zone.ts";
import type { Colours } from "./plot.tsx";

export const axes = (colours: Colours, zone: Zone) => ({
  tzDate: (time: number) =>
    zone === "utc" ? UPlot.tzDate(new Date(time * 1000), "Etc/UTC") : new Date(time * 1000),
  legend: { show: false },
  padding: [8, 8, 0, 0] as UPlot.Padding,
  axis: {
    stroke: colours.muted,
    grid: { stroke: colours.line, width: 1 },
    ticks: { stroke: colours.line, width: 1, size: 4 },
    font: "11px system-ui, sans-serif",
  },
});
