import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { KIND } from "./spool-frame.ts";
import { Watermark } from "./spool-layout.ts";
import type { SpoolWriter } from "./spool-writer.ts";
import { openSpool } from "./testing/spool.ts";

let directory: string;
let spool: SpoolWriter;
let troubles: unknown[];
const watermark = new Watermark();

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "spool-writer-"));
  troubles = [];
  spool = await openSpool(directory, watermark, (problem) => troubles.push(problem));
});

afterEach(async () => {
  vi.useRealTimers();
  await spool.close();
  await rm(directory, { recursive: true, force: true });
});

const append = () => spool.append(KIND.end, '{"sequence":1}', null, []);
const safeBytes = () => watermark.read().bytes;

test.each([
  ["back", -2],
  ["forward", 2],
])("a clock that is stepped %s by hours holds nothing up", async (_direction, hours) => {
  const before = safeBytes();
  append();
  await expect.poll(safeBytes).toBeGreaterThan(before);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + hours * 3_600_000 });
  for (let count = 0; count < 3; count++) {
    const safe = safeBytes();
    append();
    await expect.poll(safeBytes).toBeGreaterThan(safe);
  }
  expect(troubles).toEqual([]);
});

test("a process that stood still for seconds does not take its disk for hanging", async () => {
  const safe = safeBytes();
  append();
  // The write begins in this turn and is done long before the next, as when the machine gives its cores to others.
  await new Promise((resume) => setImmediate(resume));
  const until = performance.now() + 1_300;
  while (performance.now() < until);
  await expect.poll(safeBytes).toBeGreaterThan(safe);
  expect(troubles).toEqual([]);
});
