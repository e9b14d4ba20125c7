import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { stages } from "../stages.ts";
import { withCheckout } from "./checkout.ts";
import { componentOf, isBookkeeping } from "./component.ts";
import { difference } from "./difference.ts";
import { estimate } from "./estimate.ts";
import { planOf } from "./plan.ts";
import { ROOT } from "./prepare.ts";
import { costTable, planText } from "./print.ts";
import { ofType, only, type Plan } from "./resource.ts";

const plans = new Map<string, Plan>();
for (const stage of Object.keys(stages)) plans.set(stage, await planOf(stage));
const plan = (stage: string): Plan => plans.get(stage) as Plan;
const command = (...args: string[]) =>
  execFileSync(process.execPath, [join(ROOT, "infra/plan/main.ts"), ...args], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });

describe.each(Object.keys(stages))("the plan of %s", (stage) => {
  test("knows of every resource which part of the platform it belongs to", () => {
    const strangers = plan(stage).resources.filter((r) => !isBookkeeping(r) && componentOf(r) === "other");
    expect(strangers.map(({ type, name }) => `${type} ${name}`)).toEqual([]);
  });

  test("costs what its lines add up to", () => {
    const { fixed, use, fixedTotal, useTotal, total } = estimate(plan(stage));
    const sum = (lines: { monthly: number }[]) => lines.reduce((all, { monthly }) => all + monthly, 0);
    expect(fixedTotal).toBeCloseTo(sum(fixed), 2);
    expect(useTotal).toBeCloseTo(sum(use), 2);
    expect(total).toBeCloseTo(fixedTotal + useTotal, 2);
    for (const line of [...fixed, ...use])
      expect(line.monthly).toBeCloseTo(line.quantity * line.unitPrice, 1);
  });

  test("is in docs/cost.md as it is", () => {
    // The formatter pads tables.
    const unpadded = (text: string) => text.replace(/ *\| */g, "|").replace(/-{3,}/g, "---");
    const page = readFileSync(join(ROOT, "docs/cost.md"), "utf8");
    expect(unpadded(page)).toContain(unpadded(costTable(plan(stage), estimate(plan(stage)))));
  });
});

test("the seeds' two regions are two stages of the one app", () => {
  const has = (stage: string, type: string) => ofType(plan(stage), type).length > 0;
  expect(has("prod-frankfurt", "aws:apigateway/restApi:RestApi")).toBe(true);
  expect(has("prod-frankfurt", "aws:wafv2/webAcl:WebAcl")).toBe(false);
  expect(has("prod-frankfurt", "aws:rds/instance:Instance")).toBe(false);
  expect(has("prod-london", "aws:wafv2/webAcl:WebAcl")).toBe(true);
  expect(has("prod-london", "aws:apigateway/restApi:RestApi")).toBe(false);
  expect(has("prod-london", "aws:ec2/launchTemplate:LaunchTemplate")).toBe(false);
  expect(plan("prod-london").region).toBe("eu-west-2");
  const buckets = (stage: string) =>
    ofType(plan(stage), "aws:s3/bucket:Bucket").map(({ inputs }) => inputs.bucket);
  const london = new Set(buckets("prod-london").filter((name) => /audit-logs|audit-raw/.test(name)));
  expect(buckets("prod-frankfurt").filter((name) => london.has(name))).toEqual([]);
});

test("dev costs less than a tenth of prod around the clock", () => {
  const [dev, prod] = [estimate(plan("dev")), estimate(plan("prod"))];
  expect(dev.fixedTotal).toBeLessThan(prod.fixedTotal / 10);
});

describe("npm run infra:plan", () => {
  test("prints the parts with their counts, names, sizes and prices", () => {
    const text = planText(plan("prod"), estimate(plan("prod")));
    expect(text).toMatch(/^stage prod in eu-central-1: \d+ resources$/m);
    expect(text).toMatch(/^gateway database: \d+ resources, about \d+\.\d\d USD a month$/m);
    expect(text).toContain("llmlite-postgres  [db.t4g.small, 20 GB, Multi-AZ, protected, retained]");
    expect(text).toMatch(/about \d+\.\d\d USD a month around the clock/);
  });

  test("--json gives every resource with type, name and inputs, and no secret", () => {
    const json = command("--stage", "dev", "--json");
    const { resources, estimate: cost } = JSON.parse(json);
    expect(resources).toHaveLength(plan("dev").resources.length);
    for (const resource of resources) {
      expect(resource).toMatchObject({
        type: expect.any(String),
        name: expect.any(String),
        inputs: expect.any(Object),
      });
    }
    expect(cost.total).toBe(estimate(plan("dev")).total);
    expect(json).not.toContain("plan-only");
  });

  test("without a stage, or with an unknown one, says so and fails", () => {
    const run = (...args: string[]) =>
      spawnSync(process.execPath, [join(ROOT, "infra/plan/main.ts"), ...args], { encoding: "utf8" });
    expect(run()).toMatchObject({ status: 1, stderr: expect.stringMatching(/^which stage\?/) });
    expect(run("--stage", "staging")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('no stage "staging"'),
    });
  });
});

/** Two plans of a copy, on a machine that others use as well. */
const SLOW_MS = 120_000;

describe("a changed copy of the sources", () => {
  test("differs by just what was changed; a missing handler stops the plan", {
    timeout: SLOW_MS,
  }, async () => {
    await withCheckout(null, async (root) => {
      const edit = (file: string, from: string, to: string) => {
        const before = readFileSync(join(root, file), "utf8");
        expect(before).toContain(from);
        writeFileSync(join(root, file), before.replace(from, to));
      };
      edit("infra/stages.ts", "rateLimit: 2000", "rateLimit: 1000");
      const changes = difference(plan("prod-london"), await planOf("prod-london", root));
      expect(changes).toEqual([
        {
          kind: "changed",
          resource: "aws:wafv2/webAcl:WebAcl WebAcl",
          values: [{ path: "rules.3.statement.rateBasedStatement.limit", from: 2000, to: 1000 }],
        },
      ]);
      rmSync(join(root, "packages/functions/src/ingest.ts"));
      await expect(planOf("prod-london", root)).rejects.toThrow(
        /no handler at .*packages\/functions\/src\/ingest\.ts/,
      );
    });
  });
});

test("a difference shows what is added, removed, and changed inside a text of JSON", () => {
  const before = plan("dev");
  const after: Plan = structuredClone(before);
  const task = only(after, "aws:ecs/taskDefinition:TaskDefinition", "GatewayTask");
  task.inputs.containerDefinitions = task.inputs.containerDefinitions.replace('"4000"', '"4001"');
  const [gone] = ofType(after, "aws:sns/topicSubscription:TopicSubscription");
  after.resources = after.resources.filter((resource) => resource !== gone);
  after.resources.push({ ...task, name: "Another" });
  const changes = difference(before, after);
  expect(changes.map(({ kind, resource }) => `${kind} ${resource}`)).toEqual([
    "added aws:ecs/taskDefinition:TaskDefinition Another",
    "changed aws:ecs/taskDefinition:TaskDefinition GatewayTask",
    "removed aws:sns/topicSubscription:TopicSubscription AlarmsMail",
  ]);
  expect(changes[1]?.values).toEqual([
    {
      path: expect.stringMatching(/^containerDefinitions\.0\.environment\.\d+\.value$/),
      from: "4000",
      to: "4001",
    },
  ]);
});

test("a deployment refuses settings that are still placeholders, and names them", {
  timeout: SLOW_MS,
}, () => {
  const folder = mkdtempSync(join(tmpdir(), "central-llm-deploy-"));
  try {
    const result = join(folder, "result.json");
    const { CENTRAL_LLM_PLAN: _, ...env } = process.env;
    execFileSync(process.execPath, [join(ROOT, "infra/plan/child.ts"), ROOT, "prod", result], {
      cwd: ROOT,
      env,
    });
    const { errors, resources } = JSON.parse(readFileSync(result, "utf8")) as Plan;
    expect(errors[0]?.message).toMatch(
      /stage "prod" cannot be deployed: fill in domain, alarmEmail, .*stages\.ts/,
    );
    expect(resources.some(({ type }) => type.startsWith("aws:"))).toBe(false);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
