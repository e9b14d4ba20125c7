import { SeededRandom } from "@central-llm/local/soak/seeded-random";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as AuditQuery from "./audit-query.ts";
import { requestIdAt, sample } from "./audit-record-sample.ts";
import type { AuditTable } from "./audit-table.ts";
import { newRequestId } from "./request-id.ts";
import * as RequestLookUp from "./request-look-up.ts";
import { type FilledTable, filledTable } from "./testing/filled-table.ts";

const ROWS = 5_000;
const START = Date.parse("2026-11-28T06:30:00.000Z");
const DAYS = 5;
/** Across a month's end, with the edges inside a day. */
const SPAN = { from: "2026-11-28T06:30:00.000Z", to: "2026-12-03T06:30:00.000Z" };

interface Reference {
  requestId: string;
  receivedAt: string;
  projectId: string;
  userId: string;
  statusCode: number;
  latencyMs: number;
}

function record(next: () => number) {
  const pick = <T>(values: [T, number][]): T => {
    let at = next();
    for (const [value, share] of values) {
      at -= share;
      if (at < 0) return value;
    }
    return (values.at(-1) as [T, number])[0];
  };
  // A fifth of all rows share one millisecond with others.
  const offset = next() < 0.2 ? Math.floor(next() * 40) * 10_800_000 : Math.floor(next() * DAYS * 86_400_000);
  const time = START + offset;
  const receivedAt = new Date(time).toISOString();
  const clientChosen = next() < 0.05;
  const requestId = clientChosen ? `job.${Math.floor(next() * 1e9)}_${time}` : requestIdAt(time);
  return sample({
    receivedAt,
    requestId,
    clientRequestId: clientChosen ? requestId : null,
    projectId: pick([
      ["smoke-test", 0.6],
      ["Batch Job", 0.3],
      ["rare", 0.002],
      ["a#b", 0.1],
    ]),
    userId: pick([
      ["jane.doe@example.com", 0.6],
      ["qa", 0.39],
      ["Ünïcode#2026-11", 0.01],
    ]),
    statusCode: pick([
      [200, 0.9],
      [429, 0.04],
      [404, 0.03],
      [400, 0.02],
      [503, 0.006],
      [502, 0.003],
      [499, 0.001],
    ]),
    latencyMs: Math.round(next() ** 6 * 1e8) / 1000,
  });
}

let filled: FilledTable;
let table: AuditTable;
const reference: Reference[] = [];

beforeAll(async () => {
  const random = new SeededRandom(2026);
  const records = Array.from({ length: ROWS }, () => record(() => random.next()));
  reference.push(...records);
  filled = await filledTable(records);
  ({ table } = filled);
});
afterAll(() => filled.stop());

const place = ({ receivedAt, requestId }: { receivedAt: string; requestId: string }) =>
  `${receivedAt}#${requestId}`;
const newestFirst = (a: Reference, b: Reference) => (place(a) < place(b) ? 1 : -1);
const slowestFirst = (a: Reference, b: Reference) => b.latencyMs - a.latencyMs || newestFirst(a, b);

async function allPages(query: AuditQuery.AuditQuery, options: AuditQuery.PageOptions = {}) {
  const pages: AuditQuery.Page[] = [];
  let cursor: string | null = null;
  do {
    const page: AuditQuery.Page = await AuditQuery.page(table, query, { limit: 50, ...options, cursor });
    pages.push(page);
    cursor = page.cursor;
  } while (cursor !== null);
  return pages;
}

const within =
  ({ from, to }: { from: string; to: string }) =>
  (row: Reference) =>
    row.receivedAt >= from && row.receivedAt < to;

const NARROW = { from: "2026-11-29T23:00:00.000Z", to: "2026-12-01T03:30:00.000Z" };

const patterns: [string, AuditQuery.AuditQuery, (row: Reference) => boolean][] = [
  ["a project", { by: "project", projectId: "smoke-test", ...SPAN }, (row) => row.projectId === "smoke-test"],
  [
    "a project whose name holds the separator",
    { by: "project", projectId: "a#b", ...NARROW },
    (row) => row.projectId === "a#b",
  ],
  [
    "a user",
    { by: "user", userId: "jane.doe@example.com", ...SPAN },
    (row) => row.userId === "jane.doe@example.com",
  ],
  [
    "a rare user",
    { by: "user", userId: "Ünïcode#2026-11", ...SPAN },
    (row) => row.userId === "Ünïcode#2026-11",
  ],
  ["a user in part of the time", { by: "user", userId: "qa", ...NARROW }, (row) => row.userId === "qa"],
  ["the common status", { by: "status", statusCode: 200, ...SPAN }, (row) => row.statusCode === 200],
  ["a rare status", { by: "status", statusCode: 499, ...SPAN }, (row) => row.statusCode === 499],
  [
    "a status in part of the time",
    { by: "status", statusCode: 404, ...NARROW },
    (row) => row.statusCode === 404,
  ],
  ["a status that never came", { by: "status", statusCode: 418, ...SPAN }, () => false],
  [
    "the class 4xx",
    { by: "statusClass", statusClass: 4, ...SPAN },
    (row) => row.statusCode >= 400 && row.statusCode < 500,
  ],
  ["the class 5xx", { by: "statusClass", statusClass: 5, ...NARROW }, (row) => row.statusCode >= 500],
  ["every project", { by: "all", ...SPAN }, () => true],
  ["every project in part of the time", { by: "all", ...NARROW }, () => true],
];

describe("with 5,000 rows over six days, pages of 50 to the end equal the sorted reference", () => {
  test.each(patterns)("%s", async (_, query, matches) => {
    const pages = await allPages(query);
    const expected = reference.filter(within(query)).filter(matches).sort(newestFirst);
    expect(pages.flatMap(({ rows }) => rows.map(place))).toEqual(expected.map(place));
    for (const page of pages.slice(0, -1)) expect(page.rows).toHaveLength(50);
    expect(pages.at(-1)?.searchedUntil).toBe(query.from);
  });

  test.each([SPAN, NARROW])("slowest first within a project, %o", async (span) => {
    const query = { by: "slowest", projectId: "smoke-test", ...span } as const;
    const pages = await allPages(query);
    const expected = reference
      .filter(within(span))
      .filter(({ projectId }) => projectId === "smoke-test")
      .sort(slowestFirst);
    expect(pages.flatMap(({ rows }) => rows.map(place))).toEqual(expected.map(place));
    expect(pages.flatMap(({ rows }) => rows.map(({ latencyMs }) => latencyMs))).toEqual(
      expected.map(({ latencyMs }) => latencyMs),
    );
  });

  test("every request id finds its row, ours and a client's", async () => {
    const step = Math.floor(ROWS / 100);
    for (const wanted of reference.filter(
      (row, i) => i % step === 0 || (row.statusCode !== 200 && i % 20 === 0),
    )) {
      const rows = await RequestLookUp.find(table, wanted.requestId);
      expect(rows).toMatchObject([
        { requestId: wanted.requestId, userId: wanted.userId, statusCode: wanted.statusCode },
      ]);
    }
    expect(await RequestLookUp.find(table, newRequestId().id)).toEqual([]);
    expect(await RequestLookUp.find(table, "no-such-request")).toEqual([]);
  });
});

describe("the work of a page is bounded", () => {
  test("a status or class takes one query a shard and day, every project three", async () => {
    const oneDay = { from: "2026-11-30T00:00:00.000Z", to: "2026-12-01T00:00:00.000Z" };
    const exact = await AuditQuery.page(table, { by: "status", statusCode: 200, ...oneDay });
    expect(exact.rows).toHaveLength(50);
    expect(exact.queries).toBe(4);
    const all = await allPages({ by: "all", ...oneDay }, { limit: 50, maxQueries: 12 });
    for (const page of all) expect(page.queries).toBe(12);
    const rareClass = await AuditQuery.page(table, { by: "statusClass", statusClass: 5, ...oneDay });
    expect(rareClass.queries).toBe(4);
  });

  test("a page stops after its queries, says until when it searched, and goes on without a gap", async () => {
    const query = { by: "status", statusCode: 502, from: "2025-12-03T00:00:00.000Z", to: SPAN.to } as const;
    const pages = await allPages(query, { maxQueries: 20 });
    const expected = reference
      .filter(within(query))
      .filter(({ statusCode }) => statusCode === 502)
      .sort(newestFirst);
    expect(pages.flatMap(({ rows }) => rows.map(place))).toEqual(expected.map(place));
    expect(pages.length).toBeGreaterThan(20);
    expect(pages.some(({ rows }) => rows.length === 0)).toBe(true);
    for (const page of pages) expect(page.queries).toBeLessThanOrEqual(20);
    const marks = pages.map(({ searchedUntil }) => searchedUntil ?? "");
    expect(marks).toEqual([...marks].sort().reverse());
    expect(marks.at(-1)).toBe(query.from);
  });

  test("slowest refuses more than 31 days, and a range must have a length", async () => {
    const wide = { by: "slowest", projectId: "p", from: "2026-10-01T00:00:00.000Z", to: SPAN.to } as const;
    await expect(AuditQuery.page(table, wide)).rejects.toThrow("at most 31 days");
    await expect(AuditQuery.page(table, { by: "all", from: SPAN.to, to: SPAN.from })).rejects.toThrow(
      "before",
    );
  });
});

describe("cursors", () => {
  const query = { by: "user", userId: "qa", ...SPAN } as const;

  test("are refused with another query, when changed, and when made up", async () => {
    const { cursor } = await AuditQuery.page(table, query);
    const other = AuditQuery.page(table, { ...query, userId: "jane.doe@example.com" }, { cursor });
    await expect(other).rejects.toThrow("belongs to another query");
    const made = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const real = JSON.parse(Buffer.from(cursor ?? "", "base64url").toString());
    const bad = [
      "x",
      "%%%",
      `${cursor}!`,
      cursor?.slice(4),
      made(null),
      made({ ...real, v: 2 }),
      made({ ...real, p: "" }),
      made({ ...real, p: "\u0000" }),
      made({ ...real, extra: 1 }),
      "A".repeat(5000),
    ];
    for (const tampered of bad) {
      await expect(
        AuditQuery.page(table, query, { cursor: tampered ?? "" }),
        String(tampered),
      ).rejects.toThrow("cursor");
    }
  });

  test("a position outside of the range stays within the query's bounds", async () => {
    const { cursor } = await AuditQuery.page(table, { ...query, ...NARROW });
    const real = JSON.parse(Buffer.from(cursor ?? "", "base64url").toString());
    const moved = Buffer.from(JSON.stringify({ ...real, p: "9999-01-01T00:00:00.000Z" })).toString(
      "base64url",
    );
    const page = await AuditQuery.page(table, { ...query, ...NARROW }, { cursor: moved });
    expect(page.rows.every(({ receivedAt }) => receivedAt < NARROW.to && receivedAt >= NARROW.from)).toBe(
      true,
    );
    for (const p of ["zzz", "2026-13-41T99:00:00.000Z#x", "000000001.000#x"]) {
      const nonsense = Buffer.from(JSON.stringify({ ...real, p })).toString("base64url");
      await expect(AuditQuery.page(table, query, { cursor: nonsense })).rejects.toThrow("cannot be read");
    }
  });
});
