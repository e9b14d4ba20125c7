import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileCache } from "@central-llm/local/compile-cache";
import { freeOffset, type Instance, LocalPlatforms } from "@central-llm/local/testing/local-platform";
import { afterAll, beforeAll, expect, test } from "vitest";

const MAIN = join(import.meta.dirname, "main.ts");
const folder = mkdtempSync(join(tmpdir(), "central-llm-smoke-"));
const platforms = new LocalPlatforms(folder);
let platform: Instance;

beforeAll(async () => {
  platform = await platforms.start("smoke", await freeOffset());
});
afterAll(async () => {
  await platforms.stop(platform);
  await rm(folder, { recursive: true, force: true });
});

function run(
  args: string[],
  more: Record<string, string> = {},
): Promise<{ code: number | null; lines: string[]; err: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: folder,
    env: {
      ...compileCache(),
      PATH: process.env.PATH,
      HOME: folder,
      AWS_EC2_METADATA_DISABLED: "true",
      ...platform.env,
      ...more,
    },
  });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    err += chunk;
  });
  return new Promise((resolve) => {
    child.on("close", (code) => resolve({ code, lines: out.trim().split("\n"), err }));
  });
}

test("smoke follows one request from API Gateway into S3 and the table, a line each step", async () => {
  const { code, lines, err } = await run(["smoke"]);
  expect(lines.map((line) => line.split("  ").slice(0, 2).join(" "))).toEqual([
    "PASS API call",
    "PASS missing headers are refused",
    "PASS wrong key is refused",
    "PASS S3 audit object",
    "PASS DynamoDB row",
    "SKIP Lambda logs",
    "SKIP ECS tasks",
  ]);
  expect(err).toBe("");
  expect(code).toBe(0);
});

test("smoke says which steps fail, and ends with 1", async () => {
  const { code, lines, err } = await run(["smoke"], { CENTRAL_API_KEY: "not-a-key" });
  expect(lines[0]).toMatch(/^FAIL {2}API call {2}answered 403/);
  expect(err).toMatch(/steps failed: API call, .*S3 audit object, DynamoDB row/);
  expect(code).toBe(1);
});

test("smoke without a key says what to set", async () => {
  const { code, err } = await run(["smoke"], { CENTRAL_API_KEY: "" });
  expect(err).toContain("Set CENTRAL_URL (or --url) and CENTRAL_API_KEY.");
  expect(code).toBe(2);
});

test.each([
  ["gpu", "status"],
  ["logs", "central"],
])("%s %s refuses the local platform and says why", async (...args) => {
  const { code, err } = await run(args);
  expect(err).toMatch(/local platform.*--aws/);
  expect(code).toBe(2);
});
