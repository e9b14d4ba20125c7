import { existsSync, readdirSync, readlinkSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readCheckpoint } from "./checkpoint.ts";
import { ObjectStore } from "./object-store.ts";
import { Watermark } from "./spool-layout.ts";
import type { SpoolWriter } from "./spool-writer.ts";
import { openSpool } from "./testing/spool.ts";
import { Slots, WriterUpload } from "./writer-upload.ts";

let directory: string;
let spool: SpoolWriter;
let store: ObjectStore;
let own: WriterUpload;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "writer-upload-"));
  const watermark = new Watermark();
  spool = await openSpool(directory, watermark);
  store = new ObjectStore({
    bucket: "never-asked",
    region: "eu-central-1",
    endpoint: "http://127.0.0.1:1",
    connections: 1,
  });
  own = await WriterUpload.open({
    writer: "a-1",
    directory,
    prefix: "logs",
    store,
    slots: new Slots(1),
    events: { stored: () => {}, failed: () => {} },
    stop: new AbortController().signal,
  });
  await own.advance(watermark.read());
});

afterEach(async () => {
  await spool.close();
  await store.close();
  await rm(directory, { recursive: true, force: true });
});

test("the last checkpoint is saved though the one before is still being written", async () => {
  await Promise.all([own.tidy(true), own.close()]);
  expect(await readCheckpoint(directory)).toEqual(own.confirmed);
  expect(own.confirmed.offset).toBeGreaterThan(0);
  expect(await readdir(directory)).not.toContain("checkpoint.json.new");
});

const OPEN_FILES = "/proc/self/fd";

test.skipIf(!existsSync(OPEN_FILES))("a checkpoint that cannot be saved leaves no file open", async () => {
  const opened = () =>
    readdirSync(OPEN_FILES).filter((number) => {
      try {
        return readlinkSync(`${OPEN_FILES}/${number}`).startsWith(directory);
      } catch {
        return false; // The one by which the folder is read.
      }
    });
  const before = opened().length;
  await mkdir(join(directory, "checkpoint.json.new"));
  await expect(own.close()).rejects.toThrow("EISDIR");
  expect(opened()).toHaveLength(before - 1);
});
