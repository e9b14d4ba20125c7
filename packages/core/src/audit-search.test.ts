import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AuditFilter } from "./audit-filter.ts";
import * as AuditNeighbours from "./audit-neighbours.ts";
import type { AuditRecord } from "./audit-record.ts";
import { requestIdAt, sample } from "./audit-record-sample.ts";
import * as AuditSearch from "./audit-search.ts";
import type { AuditTable } from "./audit-table.ts";
import { type FilledTable, filledTable } from "./testing/filled-table.ts";

const START = Date.parse("2026-11-29T22:00:00.000Z");
const ROWS = 1_000;
/** Over a month's end. */
const SPAN = { from: "2026-11-29T22:00:00.000Z", to: "2026-12-02T00:00:00.000Z" };
const LONG_PROJECT = "p".repeat(150);

let filled: FilledTable;
let table: AuditTable;
const records: AuditRecord[] = [];

/** Every third, seventh … record differs in one thing, so that each combination of filters has some matches. */
function record(at: number): AuditRecord {
  const time = START + at * 180_000;
  return sample({
    receivedAt: new Date(time).toISOString(),
    requestId: requestIdAt(time),
    projectId: at % 50 === 0 ? LONG_PROJECT : at % 3 === 0 ? "small" : "big",
    userId: `user-${at % 7}`,
    statusCode: at % 11 === 0 ? 429 : at % 13 === 0 ? 503 : 200,
    outcome: at % 11 === 0 ? "rate_limited" : at % 13 === 0 ? "upstream_error" : "completed",
    profile: at % 17 === 0 ? "console" : at % 5 === 0 ? "gateway" : "central",
    latencyMs: (at * 7919) % 5_000,
    model: { requested: null, served: at % 4 === 0 ? "gpt-x" : "ministral", provider: "vllm" },
    http: { method: "POST", path: "/", clientIp: null, userAgent: null, stream: at % 2 === 0 },
    response: {
      headers: {},
      body: at % 101 === 0 ? "the Needle is here" : "hay",
      bytes: 3,
      chunks: 0,
      complete: at % 19 !== 0,
    },
  });
}

beforeAll(async () => {
  for (let at = 0; at < ROWS; at++) records.push(record(at));
  filled = await filledTable(records);
  ({ table } = filled);
});
afterAll(() => filled.stop());

const CASES: [string, AuditFilter, (one: AuditRecord) => boolean][] = [
  ["nothing", {}, () => true],
  ["project", { project: "small" }, ({ projectId }) => projectId === "small"],
  [
    "a long project, by its user",
    { project: LONG_PROJECT, user: "user-3" },
    (r) => r.projectId === LONG_PROJECT && r.userId === "user-3",
  ],
  ["bound to two projects", { projects: ["small", LONG_PROJECT] }, ({ projectId }) => projectId !== "big"],
  [
    "bound, a status",
    { projects: ["small"], status: "503" },
    (r) => r.projectId === "small" && r.statusCode === 503,
  ],
  [
    "user and model",
    { user: "user-2", model: "gpt-x" },
    (r) => r.userId === "user-2" && r.model.served === "gpt-x",
  ],
  ["status class", { status: "4xx", project: "big" }, (r) => r.statusCode === 429 && r.projectId === "big"],
  [
    "success of a project",
    { status: "2xx", project: "big" },
    (r) => r.statusCode === 200 && r.projectId === "big",
  ],
  ["outcome", { outcome: "upstream_error" }, (r) => r.outcome === "upstream_error"],
  [
    "latency",
    { minLatencyMs: 4_000, maxLatencyMs: 4_100 },
    (r) => r.latencyMs >= 4_000 && r.latencyMs <= 4_100,
  ],
  ["streams that broke off", { stream: true, flag: "partial" }, (r) => r.http.stream && !r.response.complete],
  ["text", { text: "nEEdle" }, (r) => r.response.body === "the Needle is here"],
  [
    "text of a project",
    { text: "needle", project: "big" },
    (r) => r.response.body === "the Needle is here" && r.projectId === "big",
  ],
  ["nobody", { user: "nobody" }, () => false],
];

async function everyPage(
  filter: AuditFilter,
  options: Partial<AuditSearch.SearchOptions> = {},
  sort: "newest" | "slowest" = "newest",
) {
  const pages: AuditSearch.SearchPage[] = [];
  let cursor: string | null = null;
  do {
    const page: AuditSearch.SearchPage = await AuditSearch.page(
      table,
      { filter, sort, ...SPAN },
      { limit: 40, ...options, cursor },
    );
    pages.push(page);
    cursor = page.cursor;
  } while (cursor !== null);
  return pages;
}

const ids = (rows: { requestId: string }[]) => rows.map(({ requestId }) => requestId);

describe.each(CASES)("%s", (_, filter, matches) => {
  test("finds what a reference finds, newest first, each once, each page with its bound on queries", async () => {
    const wanted = records
      .filter(
        (one) =>
          one.profile !== "console" &&
          one.receivedAt >= SPAN.from &&
          one.receivedAt < SPAN.to &&
          matches(one),
      )
      .reverse();
    const pages = await everyPage(filter);
    expect(ids(pages.flatMap(({ rows }) => rows))).toEqual(ids(wanted));
    // Each page, the last as the first: three for each partition among which the rows are spread.
    const isRare = /^[45]/.test(filter.status ?? "");
    const byProject =
      filter.user === undefined && !isRare && (filter.projects?.length ?? (filter.project && 1));
    for (const { queries } of pages) expect(queries).toBeLessThanOrEqual(3 * (byProject || 4));
  });

  test("`searchedUntil` tells how far a page that came back short has looked", async () => {
    const [page] = await everyPage(filter, { queriesAShard: 1 });
    const until = page?.searchedUntil ?? "";
    const newer = records.filter(
      (one) =>
        one.profile !== "console" && one.receivedAt > until && one.receivedAt < SPAN.to && matches(one),
    );
    expect(ids(page?.rows ?? [])).toEqual(expect.arrayContaining(ids(newer)));
  });
});

test("slowest first, filtered", async () => {
  const pages = await everyPage({ project: "big", model: "gpt-x", minLatencyMs: 100 }, {}, "slowest");
  const wanted = records
    .filter(
      (one) =>
        one.projectId === "big" &&
        one.model.served === "gpt-x" &&
        one.latencyMs >= 100 &&
        one.profile !== "console" &&
        one.receivedAt < SPAN.to,
    )
    .sort((a, b) => b.latencyMs - a.latencyMs || (a.receivedAt < b.receivedAt ? 1 : -1));
  expect(ids(pages.flatMap(({ rows }) => rows))).toEqual(ids(wanted));
  await expect(
    AuditSearch.page(table, { filter: {}, sort: "slowest", ...SPAN }, { limit: 5 }),
  ).rejects.toThrow(/project/);
});

test("previews are filled in where the index has none, in the list's order", async () => {
  const search = { filter: { user: "user-1" }, sort: "newest" as const, ...SPAN };
  const [plain, filled] = await Promise.all([
    AuditSearch.page(table, search, { limit: 30 }),
    AuditSearch.page(table, search, { limit: 30, previews: true }),
  ]);
  expect(ids(filled.rows)).toEqual(ids(plain.rows));
  expect(plain.rows[0]?.promptPreview).toBeUndefined();
  expect(filled.rows.every(({ promptPreview }) => (promptPreview ?? "") !== "")).toBe(true);
});

test("a cursor of another filter, and one that was made up, are refused", async () => {
  const search = (filter: AuditFilter, cursor?: string | null) =>
    AuditSearch.page(table, { filter, sort: "newest", ...SPAN }, { limit: 5, cursor });
  const { cursor } = await search({ project: "big" });
  await expect(search({ project: "small" }, cursor)).rejects.toThrow(/another query/);
  await expect(search({ project: "big", model: "gpt-x" }, cursor)).rejects.toThrow(/another query/);
  const text = Buffer.from(String(cursor), "base64url").toString();
  for (const forged of [
    text.replace("2026", "9999x"),
    text.replace('"v":1', '"v":2'),
    "{}",
    "\0",
    text.slice(0, -2),
  ]) {
    await expect(search({ project: "big" }, Buffer.from(forged).toString("base64url"))).rejects.toThrow(
      /cursor/i,
    );
  }
  await expect(search({}, "%%%")).rejects.toThrow(/cursor/i);
});

test("neighbours of a record are the user's nearest calls, over a month's end too", async () => {
  const ofUser = records.filter(({ userId }) => userId === "user-4");
  for (const at of [0, 15, 16, 17, ofUser.length - 1]) {
    const one = ofUser[at] as AuditRecord;
    const { before, after } = await AuditNeighbours.around(
      table,
      one.userId,
      `${one.receivedAt}#${one.requestId}`,
      4,
    );
    expect(ids(before)).toEqual(ids(ofUser.slice(Math.max(at - 4, 0), at).reverse()));
    expect(ids(after)).toEqual(ids(ofUser.slice(at + 1, at + 5)));
  }
});
