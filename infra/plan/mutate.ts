/**
 * `npm run infra:mutate [-- <first> [<last>]]`: breaks one setting after the other in a copy of the sources and runs the tests that hold it.
 * A mutation that no test notices is a line of the description that nothing holds. Takes some minutes.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withCheckout } from "./checkout.ts";
import { MUTATIONS, type Mutation } from "./mutations.ts";

interface Report {
  testResults: { message: string; assertionResults: { status: string; fullName: string }[] }[];
}

/**
 * The first test that fails; null when all pass.
 * @throws when no test could run at all: a plan that cannot be made proves nothing about a test
 */
function firstFailure(root: string, suite: string): string | null {
  const result = join(root, "result.json");
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const run = spawnSync(
    process.execPath,
    [vitest, "run", `infra/${suite}.test.ts`, "--reporter=json", `--outputFile=${result}`],
    { cwd: root, encoding: "utf8" },
  );
  if (run.status === 0) return null;
  const { testResults } = JSON.parse(readFileSync(result, "utf8")) as Report;
  const failed = testResults.flatMap(({ assertionResults }) =>
    assertionResults.filter(({ status }) => status === "failed"),
  );
  if (!failed[0]) throw new Error(`no test ran: ${testResults[0]?.message ?? run.stderr}`);
  return failed[0].fullName;
}

function apply(root: string, { file, from, to }: Mutation): () => void {
  const path = join(root, file);
  const before = readFileSync(path, "utf8");
  if (before.split(from).length !== 2) throw new Error(`${file} must have this once: ${from}`);
  writeFileSync(
    path,
    before.replace(from, () => to),
  );
  return () => writeFileSync(path, before);
}

const one = (text: string) => text.trim().replace(/\s+/g, " ");

const [first = "1", last = String(MUTATIONS.length)] = process.argv.slice(2);
const chosen = MUTATIONS.map((mutation, index) => ({ ...mutation, number: index + 1 })).slice(
  Number(first) - 1,
  Number(last),
);

const unnoticed = await withCheckout(null, async (root) => {
  for (const suite of new Set(chosen.map((mutation) => mutation.suite))) {
    const clean = firstFailure(root, suite);
    if (clean !== null) throw new Error(`a test fails before anything is broken: ${clean}`);
  }
  console.log("unbroken: every test passes");
  let missed = 0;
  for (const mutation of chosen) {
    const restore = apply(root, mutation);
    const failure = firstFailure(root, mutation.suite);
    restore();
    if (failure === null) missed++;
    const verdict = failure === null ? "NOT NOTICED" : one(failure).slice(0, 120);
    console.log(
      `${mutation.number}. ${mutation.file}: ${one(mutation.from)} → ${one(mutation.to) || "(nothing)"}\n   ${verdict}`,
    );
  }
  return missed;
});
console.log(`${chosen.length} settings broken, ${chosen.length - unnoticed} noticed`);
process.exitCode = unnoticed === 0 ? 0 : 1;
