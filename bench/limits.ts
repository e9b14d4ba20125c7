/**
 * The cost of the limit round trip alone, on a real PostgreSQL of this machine with its fsync on:
 * `node bench/limits.ts [seconds per figure]`. Prints one JSON line per figure; times in milliseconds.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hashKey, newKey } from "@central-llm/core/virtual-key";
import { startPostgres } from "@central-llm/local/postgres";
import { AdmissionSettings } from "@central-llm/proxy/gateway/admission";
import {
  type DatabaseSettings,
  openDatabase,
  DatabaseSettings as Settings,
} from "@central-llm/proxy/gateway/database";
import { type Ledger, openLedger } from "@central-llm/proxy/gateway/ledger";
import { migrate } from "@central-llm/proxy/gateway/migrate";

const SECONDS = Number(process.argv[2] ?? 3);
const KEYS = 10_000;
const folder = await mkdtemp(join(tmpdir(), "central-llm-bench-"));
const server = await startPostgres({ dataDir: join(folder, "data") });

const quantile = (sorted: number[], share: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
function report(name: string, times: number[], elapsedMs: number, more: Record<string, unknown> = {}): void {
  times.sort((a, b) => a - b);
  const round = (value: number | undefined) => Math.round((value ?? 0) * 1000) / 1000;
  console.log(
    JSON.stringify({
      name,
      requests: times.length,
      perSecond: Math.round((times.length / elapsedMs) * 1000),
      p50: round(quantile(times, 0.5)),
      p90: round(quantile(times, 0.9)),
      p99: round(quantile(times, 0.99)),
      ...more,
    }),
  );
}

const quiet = (error: unknown) => console.error(error instanceof Error ? error.message : error);

let serial = 0;
async function load(ledger: Ledger, tokens: string[], concurrency: number, settle: boolean) {
  const times: number[] = [];
  const verdicts: Record<string, number> = {};
  const started = performance.now();
  const worker = async () => {
    while (performance.now() - started < SECONDS * 1000) {
      const token = tokens[serial++ % tokens.length] ?? "";
      const before = performance.now();
      const admission = await ledger.admit({ token, model: "claude-3-5-sonnet", tokens: 100, cost: 0.001 });
      times.push(performance.now() - before);
      verdicts[admission.outcome] = (verdicts[admission.outcome] ?? 0) + 1;
      if (!settle || admission.outcome !== "admitted") continue;
      const now = Date.now();
      await ledger.settle(admission.reservation, {
        requestId: `bench-${process.pid}-${serial++}`,
        callType: "acompletion",
        status: "success",
        model: "claude-3-5-sonnet",
        modelGroup: "claude-3-5-sonnet",
        provider: "bedrock",
        promptTokens: 50,
        completionTokens: 50,
        cost: 0.000001,
        startedAt: now,
        endedAt: now,
      });
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return { times, elapsed: performance.now() - started, verdicts };
}

for (const durability of ["async", "sync"] satisfies DatabaseSettings["LIMIT_DURABILITY"][]) {
  const url = await server.createDatabase(`bench_${durability}`);
  const database = openDatabase(
    Settings.parse({ DATABASE_URL: url, LIMIT_DURABILITY: durability }),
    console.error,
  );
  await migrate(database);
  const tokens = Array.from({ length: KEYS }, () => hashKey(newKey()));
  await database.pool.query(
    `INSERT INTO "LiteLLM_VerificationToken" (token, models, user_id, team_id, rpm_limit, tpm_limit, max_budget)
     SELECT token, '{claude-3-5-sonnet}', 'user-' || n % 1000, 'team-' || n % 50, 1e9, 1e12, 1e9
     FROM unnest($1::text[]) WITH ORDINALITY AS x(token, n)`,
    [tokens],
  );
  await database.pool.query(
    `INSERT INTO "LiteLLM_UserTable" (user_id, models, max_budget) SELECT 'user-' || n, '{}', 1e9 FROM generate_series(0, 999) n`,
  );
  await database.pool.query(
    `INSERT INTO "LiteLLM_TeamTable" (team_id, models, max_budget) SELECT 'team-' || n, '{}', 1e9 FROM generate_series(0, 49) n`,
  );
  const ledger = openLedger(database, AdmissionSettings.parse({}), quiet);
  const hot = tokens.slice(0, 1);
  await load(ledger, tokens, 4, true); // Plans and pages warm.
  const figures: [string, string[], number, boolean][] = [
    ["admit: one at a time, 10,000 keys with key, user and team budgets", tokens, 1, false],
    ["admit: 64 at a time, 10,000 keys", tokens, 64, false],
    ["admit + settle: 64 at a time, 10,000 keys", tokens, 64, true],
    ["admit + settle: 64 at a time, one key", hot, 64, true],
    ["admit: 2,000 at a time, one key", hot, 2_000, false],
  ];
  for (const [name, list, concurrency, settle] of figures) {
    const { times, elapsed, verdicts } = await load(ledger, list, concurrency, settle);
    report(name, times, elapsed, { durability, verdicts });
  }
  const before = performance.now();
  const bare: number[] = [];
  const [{ admission: pool }] = [database];
  while (performance.now() - before < 1_000) {
    const start = performance.now();
    await pool.query({ name: "bare", text: "SELECT 1", values: [] });
    bare.push(performance.now() - start);
  }
  report("for comparison: SELECT 1 on the same connection", bare, performance.now() - before, { durability });
  await ledger.close(5_000);
  await database.close();
}
await server.stop();
await rm(folder, { recursive: true, force: true });
