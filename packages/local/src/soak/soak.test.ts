import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ledgerOf } from "./ledger.ts";
import { ledgerPage } from "./ledger-page.ts";
import { planRequest } from "./request-kind.ts";
import { SeededRandom } from "./seeded-random.ts";
import { soak } from "./soak.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "soak-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("the whole central path under load and faults: every answer has its object and its row, once", async () => {
  const lines: string[] = [];
  const settings = { minutes: 10 / 60, rate: 30, seed: 5, folder };
  const evidence = await soak(settings, (line) => lines.push(line), new AbortController().signal);
  const ledger = ledgerOf(evidence);
  expect(evidence.book.details).toEqual([]);
  const { gaps, silent } = evidence.reconciled;
  const lost = Object.groupBy(ledger.lost, ({ life }) => life.writer);
  const counts = Object.entries(lost).map(([writer, entries]) => `${writer} lost ${entries?.length}`);
  const missing = ledger.missing.map(({ life, ending }) => `${life.writer}: ${ending}`);
  const told = JSON.stringify({ missing, counts, gaps, silent, journal: evidence.journal });
  expect(ledger.broken, told).toEqual([]);
  expect(evidence.book.count("answered")).toBeGreaterThan(100);
  expect(evidence.objects.length).toBe(evidence.rows.length);
  expect(evidence.journal.length).toBeGreaterThan(3);
  expect(lines[0]).toMatch(/\d+ sent, \d+ answered/);
  expect(ledgerPage(evidence, ledger)).toContain("**Every promise was kept.**");

  // The ledger is not blind: take away an object, a row, or an answer's truth, and it says so.
  const [object, ...objects] = evidence.objects;
  const [row = "", ...rows] = evidence.rows;
  expect(ledgerOf({ ...evidence, objects }).broken).toContain("1 rows have no object");
  expect(ledgerOf({ ...evidence, rows }).broken).toContain("1 objects have no row");
  expect(ledgerOf({ ...evidence, rows: [row, ...evidence.rows] }).broken).toContain(
    "1 rows are there more than once",
  );
  const twice = ledgerOf({ ...evidence, objects: [...evidence.objects, object as (typeof objects)[0]] });
  expect(twice.broken).toContain("1 requests have more than one object");
  const answered = evidence.objects.findIndex(
    ({ number }) => evidence.book.entries.get(number ?? 0)?.ending === "answered",
  );
  expect(ledgerOf({ ...evidence, objects: evidence.objects.toSpliced(answered, 1) }).missing).toHaveLength(1);
  const lie = { ...(evidence.objects[answered] as (typeof objects)[0]), responseBytes: 1 };
  expect(
    ledgerOf({ ...evidence, objects: evidence.objects.toSpliced(answered, 1, lie) }).contradictions,
  ).toEqual([expect.stringContaining("1 bytes, the caller saw")]);
});

test("the same seed asks the same requests", () => {
  const mix = (seed: number) => {
    const random = new SeededRandom(seed);
    return Array.from({ length: 200 }, (_, number) => planRequest(random, number));
  };
  expect(mix(1)).toEqual(mix(1));
  expect(mix(1)).not.toEqual(mix(2));
  expect(new Set(mix(1).map(({ kind }) => kind)).size).toBeGreaterThan(10);
});
