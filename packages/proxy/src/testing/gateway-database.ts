/** A real PostgreSQL for a test file, and a fresh migrated database for each test. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hashKey, newKey } from "@central-llm/core/virtual-key";
import { type PostgresServer, startPostgres } from "@central-llm/local/postgres";
import { type Admission, type AdmissionRequest, AdmissionSettings } from "../gateway/admission.ts";
import { type Database, DatabaseSettings, openDatabase } from "../gateway/database.ts";
import { type Ledger, openLedger } from "../gateway/ledger.ts";
import { migrate } from "../gateway/migrate.ts";
import type { Usage } from "../gateway/settlement.ts";

export interface TestPostgres {
  server: PostgresServer;
  dataDir: string;
  /** The URL of a new, empty database. */
  emptyDatabase(): Promise<string>;
  stop(): Promise<void>;
}

export async function testPostgres(options: { durable?: boolean } = {}): Promise<TestPostgres> {
  const folder = await mkdtemp(join(tmpdir(), "central-llm-gateway-"));
  const dataDir = join(folder, "data");
  const server = await startPostgres({ dataDir, durable: options.durable ?? false });
  let made = 0;
  return {
    server,
    dataDir,
    emptyDatabase: () => server.createDatabase(`test_${++made}`),
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export function connect(
  url: string,
  settings: Partial<Record<keyof DatabaseSettings, unknown>> = {},
): Database {
  return openDatabase(DatabaseSettings.parse({ DATABASE_URL: url, ...settings }), () => {});
}

export interface TestGateway {
  url: string;
  database: Database;
  ledger: Ledger;
  /** Writes a key with these columns of "LiteLLM_VerificationToken". @returns its hash */
  key(columns?: Record<string, unknown>): Promise<string>;
  insert(table: string, columns: Record<string, unknown>): Promise<void>;
  rows(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

export async function testGateway(url: string, settings: Record<string, unknown> = {}): Promise<TestGateway> {
  const database = connect(url, settings);
  await migrate(database);
  await database.warm();
  const ledger = openLedger(database, AdmissionSettings.parse(settings), () => {});
  const insert = async (table: string, columns: Record<string, unknown>) => {
    const names = Object.keys(columns);
    await database.pool.query(
      `INSERT INTO "${table}" (${names.map((name) => `"${name}"`).join(", ")}) VALUES (${names.map((_, at) => `$${at + 1}`).join(", ")})`,
      Object.values(columns),
    );
  };
  return {
    url,
    database,
    ledger,
    insert,
    async key(columns = {}) {
      const token = hashKey(newKey());
      await insert("LiteLLM_VerificationToken", { token, models: [], ...columns });
      return token;
    },
    rows: async (text, values) => (await database.pool.query(text, values)).rows,
    async close() {
      await ledger.close(5_000);
      await database.close();
    },
  };
}

export const request = (token: string, more: Partial<AdmissionRequest> = {}): AdmissionRequest => ({
  token,
  model: "claude-3-5-sonnet",
  tokens: 10,
  cost: 0.001,
  ...more,
});

export const usage = (requestId: string, more: Partial<Usage> = {}): Usage => ({
  requestId,
  callType: "acompletion",
  status: "success",
  model: "anthropic.claude-3-5-sonnet-20241022-v2:0",
  modelGroup: "claude-3-5-sonnet",
  provider: "bedrock",
  promptTokens: 4,
  completionTokens: 6,
  cost: 0.001,
  startedAt: Date.now() - 100,
  endedAt: Date.now(),
  ...more,
});

/** @throws when the admission is another */
export function admitted(admission: Admission): Extract<Admission, { outcome: "admitted" }> {
  if (admission.outcome !== "admitted") throw new Error(`not admitted: ${JSON.stringify(admission)}`);
  return admission;
}

/** What the admission says in one word: admitted, database_unavailable, or the refusal's reason (and kind). */
export function verdict(admission: Admission): string {
  if (admission.outcome !== "refused") return admission.outcome;
  const { refusal } = admission;
  return refusal.reason === "rate_limited"
    ? `${refusal.reason}:${refusal.scope}:${refusal.kind}`
    : refusal.reason;
}

/** Polls until the condition holds. @throws when it does not in time */
export async function eventually(
  condition: () => Promise<boolean> | boolean,
  what: string,
  timeoutMs = 60_000,
) {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not in ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
