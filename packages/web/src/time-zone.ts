/** Instants as text, in UTC or in the browser's zone; the zone is always said. */
export type Zone = "utc" | "local";

const parts = (time: number, zone: Zone) => {
  const date = new Date(time);
  return zone === "utc"
    ? [
        date.getUTCFullYear(),
        date.getUTCMonth() + 1,
        date.getUTCDate(),
        date.getUTCHours(),
        date.getUTCMinutes(),
        date.getUTCSeconds(),
        date.getUTCMilliseconds(),
      ]
    : [
        date.getFullYear(),
        date.getMonth() + 1,
        date.getDate(),
        date.getHours(),
        date.getMinutes(),
        date.getSeconds(),
        date.getMilliseconds(),
      ];
};
const padded = (value: number | undefined, width = 2) => String(value).padStart(width, "0");

/** `2026-11-21` */
export function day(iso: string, zone: Zone): string {
  const [year, month, date] = parts(Date.parse(iso), zone);
  return `${year}-${padded(month)}-${padded(date)}`;
}

/** `2026-11-21 10:00:00` */
export function seconds(iso: string, zone: Zone): string {
  const [, , , hour, minute, second] = parts(Date.parse(iso), zone);
  return `${day(iso, zone)} ${padded(hour)}:${padded(minute)}:${padded(second)}`;
}

/** `2026-11-21 10:00:00.123 UTC` */
export function full(iso: string, zone: Zone): string {
  const time = Date.parse(iso);
  return `${seconds(iso, zone)}.${padded(parts(time, zone)[6], 3)} ${name(zone, time)}`;
}

/** `2026-11-21 10:00`, for labels. */
export const short = (iso: string, zone: Zone) => seconds(iso, zone).slice(0, 16);

/** `UTC`, or `GMT+1`: the browser's zone at that instant. */
export function name(zone: Zone, time = Date.now()): string {
  if (zone === "utc") return "UTC";
  const named = new Intl.DateTimeFormat("en-GB", { timeZoneName: "shortOffset" }).formatToParts(time);
  const offset = named.find(({ type }) => type === "timeZoneName")?.value ?? "local";
  // A browser in London or on a server: say that it is the browser's zone, not that UTC was chosen.
  return offset === "UTC" ? "GMT" : offset;
}

/** Epoch milliseconds of midnight before or at `time`. */
export function startOfDay(time: number, zone: Zone): number {
  const date = new Date(time);
  return zone === "utc" ? date.setUTCHours(0, 0, 0, 0) : date.setHours(0, 0, 0, 0);
}

/** The value of an `<input type="datetime-local" step=1>` for an instant, and back. */
export const toInput = (iso: string, zone: Zone) => seconds(iso, zone).replace(" ", "T");

/** @returns null when it is no date and time */
export function fromInput(text: string, zone: Zone): string | null {
  const time = Date.parse(zone === "utc" ? `${text}Z` : text);
  return Number.isNaN(time) ? null : new Date(time).toISOString();
}

/** `3 min ago`, `in 5 h`: for things that matter by their age. */
export function relative(iso: string, now = Date.now()): string {
  const difference = Date.parse(iso) - now;
  const format = new Intl.RelativeTimeFormat("en-GB", { numeric: "auto", style: "short" });
  const minutes = difference / 60_000;
  if (Math.abs(minutes) < 1) return format.format(Math.round(difference / 1000), "second");
  if (Math.abs(minutes) < 90) return format.format(Math.round(minutes), "minute");
  if (Math.abs(minutes) < 60 * 36) return format.format(Math.round(minutes / 60), "hour");
  return format.format(Math.round(minutes / 1440), "day");
}
