/** Numbers as the page shows them: grouped, with their units, the same width for the same kind. */
const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en-GB", { notation: "compact", maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat("en-GB", { style: "percent", maximumFractionDigits: 1 });

export const NOTHING = "–";

export const count = (value: number | null | undefined) => (value == null ? NOTHING : whole.format(value));
export const shortCount = (value: number) => (value < 10_000 ? whole.format(value) : compact.format(value));
/** Of what there is a little, not `0%`. */
export const share = (value: number) => (value > 0 && value < 0.0005 ? "<0.1%" : percent.format(value));

/** `12.3 ms`, `812 ms`, `1,234 ms`; from ten seconds on `12.3 s`, from two minutes on `3 min 20 s`. */
export function milliseconds(value: number | null | undefined): string {
  if (value == null) return NOTHING;
  if (value < 10) return `${value.toFixed(1)} ms`;
  if (value < 10_000) return `${whole.format(value)} ms`;
  if (value < 120_000) return `${(value / 1000).toFixed(1)} s`;
  const minutes = Math.floor(value / 60_000);
  if (minutes < 120) return `${minutes} min ${Math.round((value % 60_000) / 1000)} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${whole.format(hours / 24)} days`;
}

/** Cents from a dollar on; below it, as many places as the first digits need. */
export function dollars(value: number | null | undefined): string {
  if (value == null) return NOTHING;
  if (value === 0) return "$0";
  const places = value >= 1 ? 2 : Math.min(8, 1 - Math.floor(Math.log10(value)));
  return `$${value.toLocaleString("en-GB", { minimumFractionDigits: Math.max(2, places), maximumFractionDigits: Math.max(2, places) })}`;
}

export function bytes(value: number | null | undefined): string {
  if (value == null) return NOTHING;
  if (value < 1000) return `${value} B`;
  if (value < 1_000_000) return `${(value / 1000).toFixed(1)} kB`;
  return value < 1e9 ? `${(value / 1e6).toFixed(1)} MB` : `${(value / 1e9).toFixed(1)} GB`;
}

/** `12 calls`, `1 call`. */
export const counted = (value: number, one: string, many = `${one}s`) =>
  `${count(value)} ${value === 1 ? one : many}`;
