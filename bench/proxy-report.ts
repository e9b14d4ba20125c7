/** What `bench/proxy.ts` measured, as tables and against the targets that the project set itself. */
import type { Load, Measured } from "./load.ts";
import { figure, median, printTable, type Target } from "./report.ts";

export const STREAM = { chunks: 50, intervalMicroseconds: 10_000 };
export const MODES = {
  sat: { connections: 64, rate: 0, warmSeconds: 0.7, seconds: 3 },
  rate: { connections: 64, rate: 1000, warmSeconds: 0.7, seconds: 4 },
  /** All begin in the same moment, and all end in the same moment: the last one's first chunk waits for 49 others' starts. */
  sse: { connections: 50, rate: 0, warmSeconds: 1.2, seconds: 4 },
  /** As many at a time, but each begins when it does: what a caller of a service in use sees. */
  arrivals: { connections: 128, rate: 95, warmSeconds: 1.2, seconds: 4 },
} satisfies Record<string, Load>;
export type Mode = keyof typeof MODES;
/** By mode and contestant; one entry a round, in the same order for all. */
export type Results = Partial<Record<Mode, Record<string, Measured[]>>>;

export const UPSTREAM = "upstream itself";
export const HELD = "central, uploads held";
export const FREE = "central, uploading";

export const isStream = (mode: Mode): boolean => mode === "sse" || mode === "arrivals";

type Value = (measured: Measured) => number;

const perSecond: Value = ({ requests, seconds }) => requests / seconds;
const dataPath: Value = ({ cpu, requests }) => (cpu.main + cpu.pool + cpu.engine) / requests;
/** The uploader may lag behind in the time that is measured: its share is per object that it stored. */
const perUpload: Value = ({ cpu, uploads }) => (uploads > 0 ? cpu.uploader / uploads : 0);
const perChunk: Value = ({ cpu, chunks }) => (cpu.main + cpu.pool + cpu.engine + cpu.uploader) / chunks;

/** Of all rounds; NaN where there were none. */
function of(results: Results, mode: Mode, name: string, value: Value): number {
  return median((results[mode]?.[name] ?? []).map(value));
}

/** The median of the rounds' ratios: what a round's noise does to both falls out. NaN where one has no rounds. */
function ratio(results: Results, mode: Mode, name: string, to: string, value: Value): number {
  const others = results[mode]?.[to] ?? [];
  const ratios = (results[mode]?.[name] ?? []).flatMap((measured, round) => {
    const other = others[round];
    return other ? [value(measured) / value(other)] : [];
  });
  return median(ratios);
}

function table(results: Results, mode: Mode, columns: Record<string, (name: string) => string>): void {
  const { connections, rate } = MODES[mode];
  const pace = isStream(mode)
    ? `${rate === 0 ? "" : `connections, ${rate} a second, `}streams of ${STREAM.chunks} chunks, ${STREAM.intervalMicroseconds / 1000} ms apart`
    : `connections, ${rate === 0 ? "as fast as they are answered" : `${rate} requests/s`}`;
  const names = Object.keys(results[mode] ?? {});
  const rows = names.map((name) => [name, ...Object.values(columns).map((cell) => cell(name))]);
  printTable(`${mode}: ${connections} ${pace} (medians)`, ["", ...Object.keys(columns)], rows);
}

export function printMode(results: Results, mode: Mode): void {
  const at = (value: Value) => (name: string) => figure(of(results, mode, name, value));
  const others = (name: string) => `${Math.round(of(results, mode, name, (m) => m.foreign) * 100)} %`;
  if (isStream(mode)) {
    const added = (name: string) =>
      of(results, mode, name, (m) => m.firstChunkP50) - of(results, mode, UPSTREAM, (m) => m.firstChunkP50);
    return table(results, mode, {
      "first chunk p50 ms": at((m) => m.firstChunkP50 / 1000),
      "p99 ms": at((m) => m.firstChunkP99 / 1000),
      "added ms": (name) => figure(added(name) / 1000),
      "chunk's way µs": at((m) => m.transitP50),
      "chunks/s": at((m) => m.chunks / m.seconds),
      "CPU µs/chunk": at(perChunk),
      others,
    });
  }
  table(results, mode, {
    "req/s": at(perSecond),
    "× nginx": (name) => figure(ratio(results, mode, name, "nginx", perSecond)),
    "p50 µs": at((m) => m.p50),
    "p99 µs": at((m) => m.p99),
    "CPU µs/req": at(dataPath),
    main: at((m) => m.cpu.main / m.requests),
    pool: at((m) => m.cpu.pool / m.requests),
    V8: at((m) => m.cpu.engine / m.requests),
    "CPU µs/upload": at(perUpload),
    "uploads/req": at((m) => m.uploads / m.requests),
    others,
  });
}

/** Those whose mode and peers were measured. */
export function targets(results: Results): Target[] {
  const least = (what: string, value: number, bound: number, unit: string): Target => ({
    what,
    value,
    bound,
    sense: ">=",
    unit,
  });
  const most = (what: string, value: number, bound: number, unit: string): Target => ({
    ...least(what, value, bound, unit),
    sense: "<=",
  });
  const whole = of(results, "sat", FREE, (m) => dataPath(m) + perUpload(m));
  const firstChunk = (mode: Mode, name: string) => of(results, mode, name, (m) => m.firstChunkP50) / 1000;
  const added = (mode: Mode) => firstChunk(mode, FREE) - firstChunk(mode, UPSTREAM);
  const p99 = ratio(results, "rate", FREE, "nginx", (m) => m.p99);
  return [
    least("requests/s ÷ nginx's, data path", ratio(results, "sat", HELD, "nginx", perSecond), 0.4, "×"),
    least("requests/s ÷ Portkey's, data path", ratio(results, "sat", HELD, "portkey", perSecond), 8, "×"),
    most("CPU per request, data path", of(results, "sat", HELD, dataPath), 45, "µs"),
    most("CPU per request with its upload", whole, 150, "µs"),
    most("p99 at 1,000 requests/s ÷ nginx's", p99, 6, "×"),
    most("added time to first token, 50 begin at once", added("sse"), 0.7, "ms"),
    most("added time to first token, 95 begin a second", added("arrivals"), 0.7, "ms"),
    most("CPU per chunk of a stream", of(results, "sse", FREE, perChunk), 33, "µs"),
  ].filter(({ value }) => Number.isFinite(value));
}
