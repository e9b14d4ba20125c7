import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { planOf } from "./plan/plan.ts";
import { ofType, only, type Plan, rightsOf, type Statement, statementsOf } from "./plan/resource.ts";

const [prod, dev] = [await planOf("prod"), await planOf("dev")];
const root = resolve(import.meta.dirname, "..");

/** Statements that AWS lets nobody write more narrowly, each with its reason. */
const WIDE = new Map([
  [
    "ecr:GetAuthorizationToken",
    "the token opens only the repositories that the role may pull from or push to",
  ],
  ["ssmmessages:CreateControlChannel", "ECS Exec, in dev alone"],
  ["ssmmessages:CreateDataChannel", "ECS Exec, in dev alone"],
  ["ssmmessages:OpenControlChannel", "ECS Exec, in dev alone"],
  ["ssmmessages:OpenDataChannel", "ECS Exec, in dev alone"],
]);
/** AWS's own policies, for AWS's own agents. */
const MANAGED = [
  "AmazonRDSEnhancedMonitoringRole",
  "AmazonEC2ContainerServiceforEC2Role",
  "AmazonSSMManagedInstanceCore",
  "AmazonAPIGatewayPushToCloudWatchLogs",
];

const roles = (plan: Plan) => ofType(plan, "aws:iam/role:Role");
const allowed = ({ Effect }: Statement) => Effect === "Allow";

describe.each([
  ["prod", prod],
  ["dev", dev],
])("the roles of %s", (stage, plan) => {
  test("may do named things to named resources", () => {
    for (const role of roles(plan)) {
      for (const statement of rightsOf(plan, role).statements.filter(allowed)) {
        for (const action of statement.Action) {
          expect(action, role.name).toMatch(/^[a-z0-9]+:[A-Za-z]+$/);
          for (const resource of statement.Resource) {
            const wide = resource === "*" || /^arn:aws:[^:]*:[^:]*:[^:]*:\*/.test(resource);
            if (wide) expect([...WIDE.keys()], `${role.name} ${action} on ${resource}`).toContain(action);
          }
        }
      }
    }
  });

  test("have no managed policy but AWS's own for its agents", () => {
    const managed = roles(plan).flatMap((role) => rightsOf(plan, role).managed);
    for (const arn of managed) expect(MANAGED).toContain(arn.split("/").at(-1));
  });

  test("are assumed by one AWS service each", () => {
    for (const role of roles(plan)) {
      const [trust, ...more] = statementsOf(role.inputs.assumeRolePolicy);
      expect(more).toEqual([]);
      const { Service } = (trust?.Principal ?? {}) as { Service?: string | string[] };
      const service = [Service].flat();
      expect(service, role.name).toHaveLength(1);
      expect(service[0]).toMatch(/\.amazonaws\.com$/);
    }
  });

  test("and no policy on a resource lets everybody in", () => {
    const types = [
      "aws:s3/bucketPolicy:BucketPolicy",
      "aws:sqs/queuePolicy:QueuePolicy",
      "aws:sns/topicPolicy:TopicPolicy",
    ];
    for (const type of types) {
      for (const { name, inputs } of ofType(plan, type)) {
        for (const statement of statementsOf(inputs.policy).filter(allowed)) {
          const principal = JSON.stringify(statement.Principal);
          expect(principal, name).not.toMatch(/"\*"/);
          expect(principal, name).toMatch(/amazonaws\.com/);
        }
      }
    }
  });

  test("let Bedrock answer with the configured models only", () => {
    const task = only(plan, "aws:iam/role:Role", "GatewayTaskRole");
    const bedrock = rightsOf(plan, task).statements.filter(({ Action }) =>
      Action.some((a) => a.startsWith("bedrock:")),
    );
    const Resource = [
      "arn:aws:bedrock:eu-central-1::foundation-model/anthropic.claude-3-5-sonnet-20241022-v2:0",
      "arn:aws:bedrock:eu-central-1::foundation-model/anthropic.claude-3-opus-20240229-v1:0",
    ];
    const rights = [["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]];
    // The native engine also asks what a prompt's tokens are.
    if (stage === "dev") rights.push(["bedrock:CountTokens"]);
    expect(bedrock).toEqual(rights.map((Action) => expect.objectContaining({ Action, Resource })));
  });

  test(stage === "prod" ? "give nobody in prod a shell" : "give developers a shell in dev", () => {
    const exec = roles(plan).some((role) => JSON.stringify(rightsOf(plan, role)).includes("ssmmessages:"));
    expect(exec).toBe(stage === "dev");
  });
});

/** `ARN` without what every one of them has. */
const short = (arn: string) => arn.replace(/^arn:aws:([^:]*):[^:]*:[^:]*:/, "$1 ");
/** A role's logical name without SST's generated part. */
const plain = (name: string) => name.replace(/Subscriber[A-Z][a-z]{6}Function/, "Subscriber");

describe("docs/least-privilege.md", () => {
  const rows = readFileSync(join(root, "docs/least-privilege.md"), "utf8")
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  const quoted = (cell = "") => [...cell.matchAll(/`([^`]+)`/g)].map(([, text = ""]) => text);

  test("lists every right of every role in prod, and nothing else", () => {
    const documented = rows.map(
      ([role, actions, on]) => `${quoted(role)} | ${quoted(actions)} | ${quoted(on)}`,
    );
    const planned = roles(prod).flatMap((role) => {
      const { statements, managed } = rightsOf(prod, role);
      const label = plain(role.name);
      return [
        ...managed.map((arn) => `${label} | ${arn.split("/").at(-1)} | `),
        ...statements.map(({ Action, Resource }) => `${label} | ${Action} | ${Resource.map(short)}`),
      ];
    });
    expect(documented.sort()).toEqual(planned.sort());
  });

  test("names for each right a place in the sources that needs it, and it is there", () => {
    for (const [role, actions, , because] of rows) {
      const [file, text] = quoted(because);
      expect(file, `${role} ${actions}`).toBeTruthy();
      expect(readFileSync(join(root, file ?? ""), "utf8"), `${role} ${actions}`).toContain(text);
    }
  });
});
