/** Which time a page is about: a preset counted from now, or two instants. Lives in the address. */
import type { Zone } from "./time-zone.ts";
import * as TimeZone from "./time-zone.ts";

export const PRESETS = {
  "15m": "Last 15 minutes",
  "1h": "Last hour",
  "6h": "Last 6 hours",
  "24h": "Last 24 hours",
  today: "Today",
  yesterday: "Yesterday",
  "7d": "Last 7 days",
  "30d": "Last 30 days",
} as const;
export type Preset = keyof typeof PRESETS;
export const PRESET_NAMES = Object.keys(PRESETS) as Preset[];
export const DEFAULT_PRESET: Preset = "24h";

export interface Range {
  /** ISO 8601, UTC; `to` is excluded. */
  from: string;
  to: string;
}

export interface RangeSearch {
  last?: Preset | undefined;
  from?: string | undefined;
  to?: string | undefined;
  /** The instant that a preset counts from, when pages must stay on the same rows. */
  at?: string | undefined;
}

const MINUTES: Record<Exclude<Preset, "today" | "yesterday">, number> = {
  "15m": 15,
  "1h": 60,
  "6h": 360,
  "24h": 1_440,
  "7d": 10_080,
  "30d": 43_200,
};

/** @param now epoch milliseconds, for presets without `at` */
export function resolve(search: RangeSearch, zone: Zone, now: number): Range {
  if (search.from !== undefined && search.to !== undefined) {
    return { from: new Date(search.from).toISOString(), to: new Date(search.to).toISOString() };
  }
  const end = search.at === undefined ? now : Date.parse(search.at);
  const iso = (time: number) => new Date(time).toISOString();
  const preset = search.last ?? DEFAULT_PRESET;
  if (preset === "today") return { from: iso(TimeZone.startOfDay(end, zone)), to: iso(end) };
  if (preset === "yesterday") {
    const today = TimeZone.startOfDay(end, zone);
    return { from: iso(TimeZone.startOfDay(today - 1, zone)), to: iso(today) };
  }
  return { from: iso(end - MINUTES[preset] * 60_000), to: iso(end) };
}

/** What the range's button says. */
export function label(search: RangeSearch, zone: Zone): string {
  if (search.from !== undefined && search.to !== undefined) {
    return `${TimeZone.short(search.from, zone)} – ${TimeZone.short(search.to, zone)}`;
  }
  const preset = PRESETS[search.last ?? DEFAULT_PRESET];
  return search.at === undefined ? preset : `${preset}, as of ${TimeZone.short(search.at, zone)}`;
}
