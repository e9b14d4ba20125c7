/** Which buckets make up a range: days where they fit, hours and minutes at its edges. */
import * as RollupTable from "./rollup-table.ts";

const { minute: MINUTE, hour: HOUR } = RollupTable.STEP_MS;

/** Epoch milliseconds, whole minutes, `to` excluded. */
export interface Window {
  from: number;
  to: number;
}

/** Rounded outwards to whole minutes: what charts can tell apart. */
export const windowOf = (from: number, to: number): Window => ({
  from: Math.floor(from / MINUTE) * MINUTE,
  to: Math.ceil(to / MINUTE) * MINUTE,
});

export interface Piece extends Window {
  granularity: RollupTable.Granularity;
}

const up = (time: number, step: number) => Math.ceil(time / step) * step;
export const down = (time: number, step: number) => Math.floor(time / step) * step;

/** @param coarsest no larger buckets, since a chart of hours cannot be made of days */
export function cover({ from, to }: Window, coarsest: RollupTable.Granularity): Piece[] {
  const pieces: Piece[] = [];
  const within = (granularity: RollupTable.Granularity, begin: number, end: number) => {
    const step = { minute: null, hour: MINUTE, day: HOUR }[granularity];
    const finer = ({ hour: "minute", day: "hour" } as const)[granularity as "hour" | "day"];
    const size = RollupTable.STEP_MS[granularity];
    const [first, last] = [up(begin, size), down(end, size)];
    if (step === null || first < last) {
      if (step !== null && begin < first) within(finer, begin, first);
      pieces.push({ granularity, from: step === null ? begin : first, to: step === null ? end : last });
      if (step !== null && last < end) within(finer, last, end);
    } else within(finer, begin, end);
  };
  if (from < to) within(coarsest, from, to);
  return pieces;
}
