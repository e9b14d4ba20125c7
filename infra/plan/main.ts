/** `npm run infra:plan -- --stage prod [--json | --diff <git ref> | --cost-sheet]`: offline, no AWS account. */
import { parseArgs } from "node:util";
import { withCheckout } from "./checkout.ts";
import { difference } from "./difference.ts";
import { estimate } from "./estimate.ts";
import { planOf } from "./plan.ts";
import { costTable, differenceText, planText } from "./print.ts";
import type { Plan } from "./resource.ts";

const USAGE = "npm run infra:plan -- --stage <stage> [--json | --diff <git ref> | --cost-sheet]";

async function main(): Promise<string> {
  const { values } = parseArgs({
    options: {
      stage: { type: "string" },
      json: { type: "boolean" },
      diff: { type: "string" },
      "cost-sheet": { type: "boolean" },
    },
  });
  const { stage, json, diff } = values;
  if (!stage) throw new Error(`which stage? ${USAGE}`);
  const plan = await planOf(stage);
  if (diff !== undefined) return compare(plan, diff, json ?? false);
  const cost = estimate(plan);
  if (json) return JSON.stringify({ ...plan, estimate: cost }, null, 2);
  return values["cost-sheet"] ? costTable(plan, cost) : planText(plan, cost);
}

async function compare(after: Plan, ref: string, json: boolean): Promise<string> {
  const before = await withCheckout(ref, (root) => planOf(after.stage, root));
  const changes = difference(before, after);
  if (json) return JSON.stringify({ stage: after.stage, ref, changes }, null, 2);
  return differenceText(changes, estimate(before), estimate(after));
}

try {
  process.stdout.write(`${await main()}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
