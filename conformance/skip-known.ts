/** Skips the known differences, each with its reason in the report. */
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeEach } from "vitest";
import { DIFFERENCES } from "./known-differences.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

beforeEach(({ task, skip }) => {
  const file = relative(ROOT, task.file.filepath);
  const known = DIFFERENCES.find((difference) => difference.file === file && difference.test === task.name);
  if (known && process.env[known.engine]) skip(known.reason);
});
