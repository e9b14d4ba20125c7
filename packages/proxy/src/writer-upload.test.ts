import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readCheckpoint } from "./checkpoint.ts";
import { ObjectStore } from "./object-store.ts";
import { Watermark } from "./spool-layout.ts";
import { openSpool } from "./testing/spool.ts";
import { Slots, WriterUpload } from "./writer-upload.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "writer-upload-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test("the last checkpoint is saved though the one before is still being written", async () => {
  const watermark = new Watermark();
  const spool = await openSpool(directory, watermark);
  const store = new ObjectStore({
    bucket: "never-asked",
    region: "eu-central-1",
    endpoint: "http://127.0.0.1:1",
    connections: 1,
  });
  const own = await WriterUpload.open({
    writer: "a-1",
    directory,
    prefix: "logs",
    store,
    slots: new Slots(1),
    events: { stored: () => {}, failed: () => {} },
    stop: new AbortController().signal,
  });
  await own.advance(watermark.read());
  await Promise.all([own.tidy(true), own.close()]);
  expect(await readCheckpoint(directory)).toEqual(own.confirmed);
  expect(own.confirmed.offset).toBeGreaterThan(0);
  expect(await readdir(directory)).not.toContain("checkpoint.json.new");
  await spool.close();
  await store.close();
});
