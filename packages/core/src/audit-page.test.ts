/** What a page costs, and that pages hold every match once, in a day of many statuses and in one in which nearly all fails. */
import type { AwsEndpoint } from "@central-llm/local/aws-endpoint";
import { SeededRandom } from "@central-llm/local/soak/seeded-random";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AuditFilter } from "./audit-filter.ts";
import type { AuditRecord } from "./audit-record.ts";
import { sample } from "./audit-record-sample.ts";
import * as AuditSearch from "./audit-search.ts";
import type { AuditTable } from "./audit-table.ts";
import { type FilledTable, filledTable } from "./testing/filled-table.ts";

const DAY_MS = 86_400_000;
const ROWS_A_DAY = 2_200;
const MIXED = { from: "2026-11-24T00:00:00.000Z", to: "2026-11-25T00:00:00.000Z" };
const OUTAGE = { from: MIXED.to, to: "2026-11-26T00:00:00.000Z" };
/** Two of three rows are the console's own: somebody looks around at night. */
const QUIET = { from: "2026-11-28T00:00:00.000Z", to: "2026-11-29T00:00:00.000Z" };
const BOTH = { from: MIXED.from, to: OUTAGE.to };

const STATUSES = {
  mixed: [200, 200, 200, 200, 200, 200, 0, 201, 302, 400, 404, 429, 499, 500, 502, 503],
  outage: [200, 429, 429, 429, 429, 503, 503, 503, 503, 503],
};
const MODELS = ["gpt-x", "ministral", "claude"];
const PROJECTS = ["big", "big", "big", "small"];

function record(
  random: SeededRandom,
  at: number,
  begin: string,
  statuses: readonly number[],
  accesses = 0.05,
): AuditRecord {
  // Of a client's choice and not at random, so that each run has the same shards.
  const requestId = `job-${begin.slice(0, 10)}-${at}`;
  const isAccess = random.chance(accesses);
  return sample({
    requestId,
    clientRequestId: requestId,
    receivedAt: new Date(Date.parse(begin) + Math.floor((at / ROWS_A_DAY) * DAY_MS)).toISOString(),
    projectId: isAccess ? "access" : random.pick(PROJECTS),
    userId: `user-${Math.floor(random.between(0, 5))}`,
    statusCode: random.pick(statuses),
    profile: isAccess ? "console" : random.chance(0.3) ? "gateway" : "central",
    model: { requested: null, served: random.pick(MODELS), provider: "vllm" },
    latencyMs: Math.floor(random.between(0, 5_000)),
    http: { method: "POST", path: "/", clientIp: null, userAgent: null, stream: random.chance(0.5) },
    response: {
      headers: {},
      body: random.chance(0.01) ? "the Needle is here" : "hay",
      bytes: 3,
      chunks: 0,
      complete: true,
    },
  });
}

const isListed = (one: AuditRecord, { from, to }: { from: string; to: string }) =>
  one.profile !== "console" && one.receivedAt >= from && one.receivedAt < to;

let filled: FilledTable;
let endpoint: AwsEndpoint;
let table: AuditTable;
const records: AuditRecord[] = [];

beforeAll(async () => {
  const random = new SeededRandom(6);
  for (let at = 0; at < ROWS_A_DAY; at++) records.push(record(random, at, MIXED.from, STATUSES.mixed));
  for (let at = 0; at < 700; at++) records.push(record(random, at, OUTAGE.from, STATUSES.outage));
  for (let at = 0; at < 400; at++) records.push(record(random, at, QUIET.from, STATUSES.mixed, 0.66));
  filled = await filledTable(records);
  ({ endpoint, table } = filled);
});
afterAll(() => filled.stop());

interface Asked {
  filter: AuditFilter;
  span?: { from: string; to: string };
  limit: () => number;
}

/** Pages, each with the queries that the engine saw. */
async function pagesOf({ filter, span = BOTH, limit }: Asked) {
  const found: (AuditSearch.SearchPage & { seen: number; limit: number })[] = [];
  let cursor: string | null = null;
  do {
    const wanted = limit();
    const before = endpoint.operations.count("dynamodb.Query");
    const page: AuditSearch.SearchPage = await AuditSearch.page(
      table,
      { filter, sort: "newest", ...span },
      { limit: wanted, cursor },
    );
    found.push({ ...page, seen: endpoint.operations.count("dynamodb.Query") - before, limit: wanted });
    cursor = page.cursor;
  } while (cursor !== null);
  return found;
}

describe.each([
  ["eleven statuses, interleaved", "two hundredth", MIXED, 199],
  ["nearly all calls failing", "sixtieth", OUTAGE, 60],
])(
  "a day of %s: every page, the first as the %s, takes three queries a shard at most",
  (_, __, span, deep) => {
    test.each<[string, AuditFilter, number, (one: AuditRecord) => boolean]>([
      ["every project", {}, 12, () => true],
      ["4xx", { status: "4xx" }, 12, ({ statusCode }) => statusCode >= 400 && statusCode < 500],
      ["5xx", { status: "5xx" }, 12, ({ statusCode }) => statusCode >= 500],
      ["one status", { status: "503" }, 12, ({ statusCode }) => statusCode === 503],
      ["a user", { user: "user-1" }, 12, ({ userId }) => userId === "user-1"],
      ["a project", { project: "big" }, 3, ({ projectId }) => projectId === "big"],
    ])("%s", async (name, filter, allowed, matches) => {
      const wanted = records.filter((one) => isListed(one, span) && matches(one));
      const pages = await pagesOf({ filter, span, limit: () => 10 });
      expect(pages.flatMap(({ rows }) => rows)).toHaveLength(wanted.length);
      for (const { queries, seen } of pages) {
        expect(seen).toBe(queries);
        expect(queries).toBeLessThanOrEqual(allowed);
      }
      // Not by stopping short: but the last, pages are full.
      const short = pages.slice(0, -1).filter(({ rows }) => rows.length < 10);
      expect(short.length).toBeLessThanOrEqual(1);
      if (name === "every project") {
        expect(pages.length).toBeGreaterThan(deep);
        expect([pages[0]?.queries, pages[deep - 1]?.queries]).toEqual([12, 12]);
      }
    });
  },
);

test("pages are full, too, when there are more accesses to the trail than calls", async () => {
  const pages = await pagesOf({ filter: {}, span: QUIET, limit: () => 50 });
  expect(pages.flatMap(({ rows }) => rows)).toHaveLength(
    records.filter((one) => isListed(one, QUIET)).length,
  );
  for (const { queries } of pages) expect(queries).toBe(12);
  for (const { rows } of pages.slice(0, -1)) expect(rows).toHaveLength(50);
});

const CLASS = (one: AuditRecord) => `${Math.floor(one.statusCode / 100)}xx`;
/** Conditions in their own words, to be put together at random. */
const CONDITIONS: [Partial<AuditFilter>, (one: AuditRecord) => boolean][] = [
  [{ project: "big" }, ({ projectId }) => projectId === "big"],
  [{ project: "small" }, ({ projectId }) => projectId === "small"],
  [{ projects: ["small", "none"] }, ({ projectId }) => projectId === "small"],
  [{ user: "user-3" }, ({ userId }) => userId === "user-3"],
  [{ status: "200" }, ({ statusCode }) => statusCode === 200],
  [{ status: "429" }, ({ statusCode }) => statusCode === 429],
  [{ status: "000" }, ({ statusCode }) => statusCode === 0],
  ...(["1xx", "2xx", "3xx", "4xx", "5xx"] as const).map(
    (status): [Partial<AuditFilter>, (one: AuditRecord) => boolean] => [
      { status },
      (one) => CLASS(one) === status,
    ],
  ),
  [{ model: "gpt-x" }, ({ model }) => model.served === "gpt-x"],
  [{ stream: true }, ({ http }) => http.stream],
  [{ minLatencyMs: 4_800 }, ({ latencyMs }) => latencyMs >= 4_800],
  [{ text: "needle" }, ({ response }) => response.body === "the Needle is here"],
];

test.each(Array.from({ length: 24 }, (_, seed) => seed))(
  "random filter %i: pages of random size hold every match once, newest first, within their queries",
  async (seed) => {
    const random = new SeededRandom(1_000 + seed);
    const chosen = Array.from({ length: Math.floor(random.between(0, 3)) }, () => random.pick(CONDITIONS));
    const filter = Object.assign({}, ...chosen.map(([one]) => one)) as AuditFilter;
    // Of two conditions on the same field the later one holds.
    const holding = chosen.filter(([one]) =>
      Object.entries(one).every(([name, value]) => filter[name as keyof AuditFilter] === value),
    );
    const [from = 0, to = 0] = [random.next(), random.next()].sort();
    const at = (share: number) =>
      new Date(Date.parse(BOTH.from) + Math.floor(share * 2 * DAY_MS)).toISOString();
    const span = seed % 4 === 0 ? BOTH : { from: at(from), to: at(to + 0.001) };
    const wanted = records
      .filter((one) => isListed(one, span) && holding.every(([, matches]) => matches(one)))
      .map(({ requestId }) => requestId)
      .reverse();
    const pages = await pagesOf({ filter, span, limit: () => Math.floor(random.between(1, 121)) });
    expect(
      pages.flatMap(({ rows }) => rows.map(({ requestId }) => requestId)),
      JSON.stringify(filter),
    ).toEqual(wanted);
    const shards = filter.user || filter.status ? 4 : filter.project ? 1 : (filter.projects?.length ?? 4);
    for (const { queries, seen, rows, limit } of pages) {
      expect(seen).toBe(queries);
      expect(queries).toBeLessThanOrEqual(3 * Math.max(shards, filter.status ? 4 : 1));
      expect(rows.length).toBeLessThanOrEqual(limit);
    }
  },
);
