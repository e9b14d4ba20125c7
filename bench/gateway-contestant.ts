/** What `bench/gateway.ts` measures: profile gateway with all that it needs, beside a stand-in of Bedrock in C. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { GATEWAY_NODE_OPTIONS } from "@central-llm/core/platform";
import { hashKey, newKey } from "@central-llm/core/virtual-key";
import { type PostgresServer, startPostgres } from "@central-llm/local/postgres";
import { AdmissionSettings } from "@central-llm/proxy/gateway/admission";
import { DatabaseSettings, openDatabase } from "@central-llm/proxy/gateway/database";
import { openLedger } from "@central-llm/proxy/gateway/ledger";
import type { Contestant } from "./contestants.ts";
import { CACHE } from "./native-program.ts";
import { CORE, nextLine, pinned } from "./pinned-process.ts";

const MODEL = "claude-3-5-sonnet";
const KEYS = 200;
const PROMPT =
  "Summarise the quarterly figures for the board: revenue, costs, head count and what changed since. ";
const SYSTEM = "You are a careful analyst. Answer in plain English.";

export interface GatewayUnderTest extends Contestant {
  keys: string[];
  databaseUrl: string;
  /** Of PostgreSQL, with its sessions. */
  databasePids(): number[];
  /** Mean milliseconds of an admission, as the gateway counts them, since the last time that this was asked. */
  meanAdmission(): Promise<number>;
  stop(): Promise<void>;
}

/** @param flags for node */
export async function gateway(
  bedrock: number,
  s3: number,
  flags: readonly string[],
): Promise<GatewayUnderTest> {
  const folder = mkdtempSync(join(tmpdir(), "bench-gateway-"));
  // A child of this process, which is on the second core: so is it. Its fsync is on.
  const postgres = await startPostgres({ dataDir: join(folder, "postgres") });
  const databaseUrl = await postgres.createDatabase("gateway");
  const entry = fileURLToPath(new URL("../packages/proxy/src/main.ts", import.meta.url));
  const child = pinned("gateway", CORE.underTest, [process.execPath, ...flags, entry], {
    NODE_OPTIONS: GATEWAY_NODE_OPTIONS,
    PROFILE: "gateway",
    HOST: "127.0.0.1",
    PORT: "0",
    DATABASE_URL: databaseUrl,
    LITELLM_MASTER_KEY: "sk-bench-master-key",
    AWS_ENDPOINT_URL_BEDROCK_RUNTIME: `http://127.0.0.1:${bedrock}`,
    AUDIT_BUCKET: "bench-audit",
    AUDIT_MODE: "spool",
    AWS_REGION: "eu-west-1",
    AWS_ENDPOINT_URL: `http://127.0.0.1:${s3}`,
    AWS_ACCESS_KEY_ID: "bench",
    AWS_SECRET_ACCESS_KEY: "bench",
    SPOOL_DIR: mkdtempSync(`${CACHE}spool-`),
    WRITER_NAME: "bench",
  });
  let port = 0;
  while (port === 0) {
    const line = JSON.parse(await nextLine(child, "The gateway")) as { msg: string; port: number };
    if (line.msg === "listening") port = line.port;
  }
  drain(child.lines);
  const keys = Array.from({ length: KEYS }, () => newKey());
  await insertKeys(databaseUrl, keys);
  const meanAdmission = admissionMeter(port);
  return {
    port,
    pid: child.pid,
    headers: [],
    process: child,
    keys,
    databaseUrl,
    databasePids: () => familyOf(postgres),
    meanAdmission,
    async stop() {
      await child.stop(60_000);
      await postgres.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The access log goes to a pipe, as in a container; somebody must read it. */
async function drain(lines: AsyncIterableIterator<string>): Promise<void> {
  for await (const _ of lines);
}

/** Keys of users in teams, each with a rate, a token and a budget limit that none of them reaches. */
async function insertKeys(url: string, keys: string[]): Promise<void> {
  const database = openDatabase(DatabaseSettings.parse({ DATABASE_URL: url }), console.error);
  const { pool } = database;
  await pool.query(
    `INSERT INTO "LiteLLM_VerificationToken" (token, models, user_id, team_id, rpm_limit, tpm_limit, max_budget)
     SELECT token, '{}', 'user-' || n % 50, 'team-' || n % 10, 1e9, 1e12, 1e9 FROM unnest($1::text[]) WITH ORDINALITY AS x(token, n)`,
    [keys.map(hashKey)],
  );
  for (const [table, id, count] of [
    ["User", "user", 50],
    ["Team", "team", 10],
  ]) {
    await pool.query(
      `INSERT INTO "LiteLLM_${table}Table" (${id}_id, models, max_budget) SELECT '${id}-' || n, '{}', 1e9 FROM generate_series(0, ${count}) n`,
    );
  }
  await database.close();
}

function familyOf({ pid }: PostgresServer): number[] {
  const children = readdirSync("/proc").filter((name) => {
    try {
      // proc(5): after the name in brackets, the state and the parent.
      const [, parent] = readFileSync(`/proc/${name}/stat`, "utf8")
        .replace(/^.*\) /s, "")
        .split(" ");
      return /^\d+$/.test(name) && Number(parent) === pid;
    } catch {
      return false; // It has ended meanwhile.
    }
  });
  return [pid, ...children.map(Number)];
}

function admissionMeter(port: number): () => Promise<number> {
  let [sum, count] = [0, 0];
  return async () => {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    const value = (name: string) => Number(new RegExp(`^${name} (.+)$`, "m").exec(text)?.[1] ?? Number.NaN);
    const [sumNow, countNow] = [
      value("gateway_admission_seconds_sum"),
      value("gateway_admission_seconds_count"),
    ];
    const mean = ((sumNow - sum) / (countNow - count)) * 1000;
    [sum, count] = [sumNow, countNow];
    return mean;
  };
}

/** Milliseconds of admissions, one at a time, with nothing else going on: the limit round trip alone. */
export async function roundTrips({ databaseUrl, keys }: GatewayUnderTest, count: number): Promise<number[]> {
  const database = openDatabase(DatabaseSettings.parse({ DATABASE_URL: databaseUrl }), console.error);
  const ledger = openLedger(database, AdmissionSettings.parse({}), console.error);
  const times: number[] = [];
  for (let n = 0; n < count; n++) {
    const token = hashKey(keys[n % keys.length] ?? "");
    const before = performance.now();
    const admission = await ledger.admit({ token, model: MODEL, tokens: 100, cost: 0.001 });
    times.push(performance.now() - before);
    if (admission.outcome !== "admitted") throw new Error(JSON.stringify(admission));
    await ledger.release(admission.reservation);
  }
  await ledger.close(5_000);
  await database.close();
  return times.sort((a, b) => a - b);
}

const wire = (path: string, headers: string[], body: string) =>
  Buffer.from(
    [
      `POST ${path} HTTP/1.1`,
      "Host: 127.0.0.1",
      "Content-Type: application/json",
      ...headers,
      `Content-Length: ${Buffer.byteLength(body)}`,
      "",
      body,
    ].join("\r\n"),
  );

const padded = (body: (content: string) => string) =>
  body(PROMPT.repeat(30).slice(0, 2048 - body("").length));

/** A chat of 2,048 bytes with each key in turn, all of one length. */
export function chats(keys: readonly string[], stream: boolean): { request: Buffer; requests: number } {
  const body = padded((content) =>
    JSON.stringify({
      model: MODEL,
      temperature: 0.2,
      max_tokens: 512,
      stream,
      messages: [
        { role: "system", content: SYSTEM },
        { role: "user", content },
      ],
    }),
  );
  const requests = keys.map((key) =>
    wire("/v1/chat/completions", [`Authorization: Bearer ${key}`, "User-Agent: central-llm-bench"], body),
  );
  return { request: Buffer.concat(requests), requests: keys.length };
}

/** The same chat as Bedrock is asked it. */
export function converse(stream: boolean): { request: Buffer } {
  const body = padded((text) =>
    JSON.stringify({
      system: [{ text: SYSTEM }],
      messages: [{ role: "user", content: [{ text }] }],
      inferenceConfig: { maxTokens: 512, temperature: 0.2 },
    }),
  );
  return { request: wire(`/model/anthropic.${MODEL}/converse${stream ? "-stream" : ""}`, [], body) };
}
