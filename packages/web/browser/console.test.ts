/**
 * The console in a real Chromium, in front of the whole local platform: one of each for all tests, which are in the files
 * beside this one.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { appearance } from "./appearance.ts";
import { ConsoleStage, keyOf } from "./console-stage.ts";
import { filteringCalls } from "./filtering-calls.ts";
import { findingCalls } from "./finding-calls.ts";
import { operating } from "./operating.ts";
import { readingARecord } from "./reading-a-record.ts";
import { searchingOn } from "./searching-on.ts";
import { BROKEN, records, repaired } from "./seed.ts";
import { showingCalls } from "./showing-calls.ts";
import { signingIn } from "./signing-in.ts";

let console_: ConsoleStage | undefined;
const stage = (): ConsoleStage => {
  if (!console_) throw new Error("the console did not start");
  return console_;
};

beforeAll(async () => {
  console_ = await ConsoleStage.start();
  const all = records();
  await stage().storeText(keyOf(repaired()), BROKEN);
  await stage().store(...all);
  const projects = Map.groupBy(all, ({ projectId }) => projectId);
  await stage().counted(new Map([...projects].map(([project, { length }]) => [project, length])));
});
afterAll(() => console_?.stop());

signingIn(stage);
filteringCalls(stage);
findingCalls(stage);
showingCalls(stage);
searchingOn(stage);
readingARecord(stage);
operating(stage);
appearance(stage);

test("no page complained: no error in a console, nothing that the content security policy had to refuse", () => {
  expect(stage().complaints).toEqual([]);
});
