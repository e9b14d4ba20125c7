/**
 * What the console's lists and charts cost over a large table: `npm run bench:console [-- --rows 1000000]`. The API runs in a
 * process of its own, as Lambda has it; the engine is the embedded one. Milliseconds are from the event to the answer, with
 * the record of the search in S3; read units and queries are counted at the table's client. Its figures: docs/decisions/console.md.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { AuditFilter } from "@central-llm/core/audit-filter";
import * as AuditSearch from "@central-llm/core/audit-search";
import * as AuditTable from "@central-llm/core/audit-table";
import * as RollupQuery from "@central-llm/core/rollup-query";
import { clientSettings, createAuditPlatform } from "@central-llm/local/audit-platform";
import { startAwsEndpoint } from "@central-llm/local/aws-endpoint";
import { lambdaFunction } from "@central-llm/local/lambda-function";
import { prepare, say } from "./console-data.ts";
import { DAYS } from "./console-rows.ts";

const { values: options } = parseArgs({
  options: {
    rows: { type: "string", default: "1000000" },
    /** Calls of each kind. */
    calls: { type: "string", default: "40" },
    /** A folder in which the table is kept and found again; omitted: one that goes at the end. */
    data: { type: "string" },
    /** Makes the table in `--data` and measures nothing. */
    prepare: { type: "boolean", default: false },
  },
});
const ROWS = Number(options.rows);
const CALLS = Number(options.calls);
const MINUTE = 60_000;
const root = join(import.meta.dirname, "..");

const nearest = (values: number[], share: number) =>
  values.toSorted((a, b) => a - b)[Math.max(Math.ceil(values.length * share) - 1, 0)] ?? 0;

// On disk: a million rows with their index entries are more than a process's heap.
const dataDir = resolve(options.data ?? join(root, ".local/bench/console-data"));
const { end, filledIn, countedIn } = await prepare(dataDir, ROWS);
if (options.prepare) process.exit();

const endpoint = await startAwsEndpoint({ dataDir });
const platform = await createAuditPlatform(endpoint);
const client = new DynamoDBClient(clientSettings(endpoint));
const table = AuditTable.open(client, platform.tableName);
let units = 0;
client.middlewareStack.add(
  (next) => async (args) => {
    const input = args.input as { ReturnConsumedCapacity?: string; RequestItems?: unknown };
    input.ReturnConsumedCapacity = "TOTAL";
    const answer = await next(args);
    const { ConsumedCapacity } = answer.output as { ConsumedCapacity?: object };
    for (const one of [ConsumedCapacity ?? []].flat()) {
      units += (one as { CapacityUnits?: number }).CapacityUnits ?? 0;
    }
    return answer;
  },
  { step: "initialize", priority: "low" },
);

const api = lambdaFunction(
  {
    name: "llm-audit-api",
    handlerFile: join(root, "packages/functions/src/api/router.ts"),
    environment: {
      AWS_ENDPOINT_URL: endpoint.url,
      TABLE_NAME: platform.tableName,
      AUDIT_BUCKET: platform.bucket,
      AUDIT_PREFIX: platform.prefix,
      INGEST_QUEUE_URL: platform.ingestQueueUrl,
      AUDIT_DLQ_URL: platform.deadLetterQueueUrl,
      EXPORT_BUCKET: platform.exportBucket,
      EXPORT_QUEUE_URL: platform.exportQueueUrl,
      OIDC_ISSUER: "https://issuer.example.com",
      OIDC_CLIENT_ID: "console",
    },
    region: endpoint.region,
    timeoutSeconds: 29,
    memoryMb: 1024,
    maxConcurrency: 1,
  },
  () => {},
);

// biome-ignore lint/suspicious/noExplicitAny: read as the contract has it
async function get(path: string, query: Record<string, string>): Promise<{ ms: number; body: any }> {
  const claims = { sub: "bench", username: "bench", "cognito:groups": "[auditor]", token_use: "access" };
  const start = performance.now();
  const outcome = await api.invoke({
    version: "2.0",
    headers: {},
    queryStringParameters: query,
    requestContext: {
      http: { method: "GET", path, sourceIp: "127.0.0.1", userAgent: "bench" },
      authorizer: { jwt: { claims } },
    },
  });
  const ms = performance.now() - start;
  if ("error" in outcome) throw new Error(outcome.error.errorMessage);
  const { statusCode, body } = outcome.payload as { statusCode: number; body: string };
  if (statusCode !== 200) throw new Error(`${statusCode} ${body}`);
  return { ms, body: JSON.parse(body) };
}

const iso = (time: number) => new Date(time).toISOString();
const week = { from: iso(end - DAYS * 86_400_000), to: iso(end + 1) };
const day = { from: iso(end - 86_400_000), to: iso(end + 1) };

interface Line {
  what: string;
  p50: number;
  p95: number;
  queries: number;
  requests: number;
  readUnits: number;
  rows: number;
}

/** @param direct the same, asked of core with the client that counts */
async function measure(
  what: string,
  path: string,
  query: Record<string, string>,
  direct: () => Promise<{ queries: number; rows: number }>,
  repeat: (nth: number) => Record<string, string> = () => ({}),
): Promise<Line> {
  await get(path, query);
  const times: number[] = [];
  for (let nth = 0; nth < CALLS; nth++) times.push((await get(path, { ...query, ...repeat(nth) })).ms);
  endpoint.operations.reset();
  units = 0;
  const { queries, rows } = await direct();
  const requests = Object.entries(endpoint.operations.counts()).reduce(
    (sum, [name, count]) => sum + (name.startsWith("dynamodb.") ? count : 0),
    0,
  );
  return {
    what,
    p50: nearest(times, 0.5),
    p95: nearest(times, 0.95),
    queries,
    requests,
    readUnits: units,
    rows,
  };
}

async function list(
  what: string,
  filter: AuditFilter,
  span = week,
  more: Record<string, string> = {},
  cursor?: string,
) {
  const sort = more.sort === "slowest" ? "slowest" : "newest";
  const query = {
    ...(filter as Record<string, string>),
    ...span,
    ...more,
    limit: "50",
    ...(cursor && { cursor }),
  };
  return measure(what, "/api/audit", query, async () => {
    const page = await AuditSearch.page(
      table,
      { filter, sort, ...span },
      { limit: 50, cursor, previews: more.previews === "true" },
    );
    return { queries: page.queries, rows: page.rows.length };
  });
}

/** The cursor behind so many pages. */
async function deep(filter: AuditFilter, pages: number): Promise<string> {
  let cursor: string | null = null;
  for (let at = 0; at < pages; at++) {
    ({ cursor } = await AuditSearch.page(table, { filter, sort: "newest", ...week }, { limit: 50, cursor }));
  }
  return cursor ?? "";
}

say("measuring");
const lines: Line[] = [];
const users = { user: "user-7" };
lines.push(await list("a project", { project: "project-1" }));
lines.push(
  await list(
    "a project, page 200",
    { project: "project-1" },
    week,
    {},
    await deep({ project: "project-1" }, 200),
  ),
);
lines.push(await list("a user", users));
lines.push(await list("a status", { status: "503" }));
lines.push(await list("a status class of a project", { status: "5xx", project: "project-0" }));
lines.push(await list("a project and a model", { project: "project-2", model: "gpt-4o" }));
lines.push(await list("a project, previews", { project: "project-1" }, week, { previews: "true" }));
lines.push(await list("a user, previews", users, week, { previews: "true" }));
lines.push(await list("slowest of a project, a day", { project: "project-0" }, day, { sort: "slowest" }));
lines.push(await list("slowest of a project, a week", { project: "project-0" }, week, { sort: "slowest" }));
lines.push(
  await list("slowest of a project and a model, a day", { project: "project-0", model: "gpt-4o" }, day, {
    sort: "slowest",
  }),
);
lines.push(await list("everything", {}));
lines.push(await list("everything, page 200", {}, week, {}, await deep({}, 200)));
lines.push(await list("everything of a model", { model: "gpt-4o" }));
lines.push(await list("text that few have", { text: "no such words" }, week));
lines.push(await list("a project, text that few have", { project: "project-1", text: "no such words" }));

const windowOf = (span: typeof week) => RollupQuery.windowOf(Date.parse(span.from), Date.parse(span.to));
const series = (
  what: string,
  query: Record<string, string>,
  span: typeof week,
  stepMs: number,
  by: "project" | "user" | null,
  projects: string[] | null = null,
) =>
  measure(what, "/api/series", { ...query, ...span }, async () => {
    const found = await RollupQuery.series(table, {
      window: windowOf(span),
      stepMs,
      reach: { projects },
      by,
      where: null,
    });
    return { queries: found.queries, rows: found.times.length };
  });
lines.push(await series("chart, a day by 15 minutes", { interval: "15m" }, day, 15 * MINUTE, null));
lines.push(await series("chart, a week by hours", { interval: "1h" }, week, 60 * MINUTE, null));
lines.push(
  await series(
    "chart, a week by hours and project",
    { interval: "1h", by: "project" },
    week,
    60 * MINUTE,
    "project",
  ),
);
lines.push(
  await series(
    "chart of one project, a week",
    { interval: "1h", project: "project-3" },
    week,
    60 * MINUTE,
    null,
    ["project-3"],
  ),
);
const facets = (what: string, fields: ("project" | "model" | "status" | "user")[], span: typeof week) =>
  measure(what, "/api/facets", { fields: fields.join(","), ...span }, async () => {
    const { queries, values } = await RollupQuery.facets(table, windowOf(span), { projects: null }, fields);
    return { queries, rows: [...values.values()].reduce((sum, { size }) => sum + size, 0) };
  });
lines.push(await facets("facets project, model, status; a week", ["project", "model", "status"], week));
lines.push(await facets("facet of 2,000 users, a week", ["user"], week));

const report = [
  `| ${ROWS.toLocaleString("en")} rows | p50 ms | p95 ms | queries | requests | read units | rows or points |`,
  "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
  ...lines.map(
    ({ what, p50, p95, queries, requests, readUnits, rows }) =>
      `| ${what} | ${p50.toFixed(0)} | ${p95.toFixed(0)} | ${queries} | ${requests} | ${readUnits.toFixed(1)} | ${rows} |`,
  ),
  "",
  `Filled in ${filledIn} s, rollups of ${DAYS} days counted in ${countedIn} s; ${CALLS} calls a line; load average ${loadavg()[0]?.toFixed(1)}.`,
].join("\n");
console.log(report);
mkdirSync(join(root, ".local/bench"), { recursive: true });
writeFileSync(
  join(root, ".local/bench/console.json"),
  JSON.stringify({ rows: ROWS, filledIn, countedIn, lines }, null, 2),
);
await api.stop();
client.destroy();
await endpoint.stop();
if (options.data === undefined) rmSync(dataDir, { recursive: true, force: true });
