/** What `bench/gateway.ts` measured, as tables and against the targets of the gateway's issue. */
import type { Load, Measured } from "./load.ts";
import { figure, median, printTable, type Target } from "./report.ts";

export const STREAM = { chunks: 20, intervalMicroseconds: 10_000 };
export const MODES = {
  sat: { connections: 64, rate: 0, warmSeconds: 1, seconds: 3 },
  rate: { connections: 64, rate: 300, warmSeconds: 1, seconds: 4 },
  streams: { connections: 64, rate: 50, warmSeconds: 1, seconds: 4 },
} satisfies Record<string, Load>;
export type Mode = keyof typeof MODES;

export interface Round extends Measured {
  /** Mean milliseconds of the limit round trip within the gateway; NaN for the stand-in itself. */
  admission: number;
}
export type Results = Partial<Record<Mode, Record<string, Round[]>>>;

export const BARE = "Bedrock stand-in";
export const HELD = "gateway, uploads held";
export const FREE = "gateway, uploading";

type Value = (round: Round) => number;
const perSecond: Value = ({ requests, seconds }) => requests / seconds;
const dataPath: Value = ({ cpu, requests }) => (cpu.main + cpu.pool + cpu.engine) / requests;
const perUpload: Value = ({ cpu, uploads }) => (uploads > 0 ? cpu.uploader / uploads : 0);

const of = (results: Results, mode: Mode, name: string, value: Value) =>
  median((results[mode]?.[name] ?? []).map(value));

/** The median of the rounds' differences to the stand-in itself, which was measured in the same round; milliseconds. */
function added(results: Results, mode: Mode, name: string, microseconds: Value): number {
  const bare = results[mode]?.[BARE] ?? [];
  return median(
    (results[mode]?.[name] ?? []).flatMap((round, number) => {
      const other = bare[number];
      return other ? [(microseconds(round) - microseconds(other)) / 1000] : [];
    }),
  );
}

export function printMode(results: Results, mode: Mode): void {
  const { connections, rate } = MODES[mode];
  const at = (value: Value) => (name: string) => figure(of(results, mode, name, value));
  const more = (value: Value) => (name: string) =>
    name === BARE ? "" : figure(added(results, mode, name, value));
  const others = (name: string) => `${Math.round(of(results, mode, name, (m) => m.foreign) * 100)} %`;
  const columns: Record<string, (name: string) => string> =
    mode === "streams"
      ? {
          "first chunk p50 ms": at((m) => m.firstChunkP50 / 1000),
          "p99 ms": at((m) => m.firstChunkP99 / 1000),
          "added p50 ms": more((m) => m.firstChunkP50),
          "added p99 ms": more((m) => m.firstChunkP99),
          "chunk's way µs": at((m) => m.transitP50),
          "CPU µs/stream": at((m) => (m.cpu.main + m.cpu.pool + m.cpu.engine) / m.requests),
          "round trip ms": at((m) => m.admission),
          others,
        }
      : {
          "req/s": at(perSecond),
          "p50 ms": at((m) => m.p50 / 1000),
          "p99 ms": at((m) => m.p99 / 1000),
          "added p50 ms": more((m) => m.p50),
          "added p99 ms": more((m) => m.p99),
          "CPU µs/req": at(dataPath),
          main: at((m) => m.cpu.main / m.requests),
          pool: at((m) => m.cpu.pool / m.requests),
          V8: at((m) => m.cpu.engine / m.requests),
          "CPU µs/upload": at(perUpload),
          "uploads/req": at((m) => m.uploads / m.requests),
          // Behind Bedrock and S3 come PostgreSQL's processes.
          "PostgreSQL µs/req": at((m) => m.farCpu.slice(2).reduce((sum, time) => sum + time, 0) / m.requests),
          "round trip ms": at((m) => m.admission),
          others,
        };
  const names = Object.keys(results[mode] ?? {});
  const pace = rate === 0 ? "as fast as they are answered" : `${rate} a second`;
  printTable(
    `${mode}: ${connections} connections, ${pace} (medians of ${results[mode]?.[BARE]?.length ?? 0} rounds)`,
    ["", ...Object.keys(columns)],
    names.map((name) => [name, ...Object.values(columns).map((cell) => cell(name))]),
  );
}

/** @param roundTripMs p50 of the limit round trip alone */
export function targets(results: Results, roundTripMs: number): Target[] {
  const target = (
    what: string,
    value: number,
    sense: Target["sense"],
    bound: number,
    unit: string,
  ): Target => ({
    what,
    value,
    bound,
    sense,
    unit,
  });
  return [
    target(
      "requests/s on one core, uploading there too",
      of(results, "sat", FREE, perSecond),
      ">=",
      1500,
      "/s",
    ),
    target("requests/s on one core, data path", of(results, "sat", HELD, perSecond), ">=", 1500, "/s"),
    target(
      "added p50 at 300 requests/s",
      added(results, "rate", FREE, (m) => m.p50),
      "<=",
      2,
      "ms",
    ),
    target(
      "added p99 at 300 requests/s",
      added(results, "rate", FREE, (m) => m.p99),
      "<=",
      8,
      "ms",
    ),
    target("limit round trip alone, p50", roundTripMs, "<=", 0.5, "ms"),
    target(
      "added time to first token, p50",
      added(results, "streams", FREE, (m) => m.firstChunkP50),
      "<=",
      2,
      "ms",
    ),
  ].filter(({ value }) => Number.isFinite(value));
}
