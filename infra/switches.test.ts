/** Settings that no stage uses today: one plan of a copy with all of them switched on. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseGatewayConfig } from "@central-llm/proxy/gateway/gateway-config";
import { beforeAll, expect, test } from "vitest";
import { withCheckout } from "./plan/checkout.ts";
import { planOf } from "./plan/plan.ts";
import {
  containersOf,
  environmentOf,
  type Inputs,
  ofType,
  only,
  type Plan,
  rightsOf,
  secretsOf,
} from "./plan/resource.ts";

const REMOTE_WRITE = "https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write";
const CLAUDE = '{ name: "claude-3-opus", bedrockId: "anthropic.claude-3-opus-20240229-v1:0" },';
const SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0";
const PROFILED = { name: "claude-sonnet-4-5", bedrockId: `eu.${SONNET}` };
const COMPATIBLE = {
  name: "gpt-4o",
  target: {
    provider: "openai-compatible",
    url: "https://api.openai.com/v1",
    apiKeyEnv: "OPENAI_API_KEY",
    limitParameter: "max_completion_tokens",
  },
  price: { input: 2.5, output: 10 },
  ability: { kind: "chat", contextWindow: 128_000, maxOutputTokens: 16_384 },
};
const SWITCHED: [from: string, to: string][] = [
  ["interfaceEndpoints: false", "interfaceEndpoints: true"],
  ["allowedCountries: null", 'allowedCountries: ["DE", "GB"]'],
  ["trustedIps: []", 'trustedIps: ["203.0.113.0/24"]'],
  [
    "officeHours: null",
    'officeHours: { start: "0 7 ? * MON-FRI *", stop: "0 19 ? * MON-FRI *", timezone: "Europe/Berlin" }',
  ],
  ["prometheusRemoteWriteUrl: null", `prometheusRemoteWriteUrl: "${REMOTE_WRITE}"`],
  [
    "console: { issuer: null }",
    'console: { issuer: { url: "https://login.example.org/tenant", audience: "central-llm" } }',
  ],
  ["ami: null", 'ami: "ami-0123456789abcdef0"'],
  ['engine: "litellm"', 'engine: "native"'],
  ["guardrail: null", 'guardrail: { id: "gr4711", version: "3" }'],
  [CLAUDE, `${CLAUDE}\n    ${JSON.stringify(PROFILED)},\n    ${JSON.stringify(COMPATIBLE)},`],
];

let plan: Plan;
beforeAll(async () => {
  plan = await withCheckout(null, (root) => {
    const file = join(root, "infra/stages.ts");
    let text = readFileSync(file, "utf8");
    for (const [from, to] of SWITCHED) {
      expect(text, from).toContain(from);
      text = text.replace(from, () => to);
    }
    writeFileSync(file, text);
    return planOf("prod", root);
  });
});

test("interface endpoints reach AWS's services from inside, on HTTPS alone", () => {
  const endpoints = ofType(plan, "aws:ec2/vpcEndpoint:VpcEndpoint").filter(
    ({ inputs }) => inputs.vpcEndpointType === "Interface",
  );
  expect(endpoints.map(({ inputs }) => inputs.serviceName)).toContain(
    "com.amazonaws.eu-central-1.bedrock-runtime",
  );
  for (const { inputs } of endpoints) expect(inputs.privateDnsEnabled).toBe(true);
  expect(only(plan, "aws:ec2/securityGroup:SecurityGroup", "EndpointGroup").inputs.ingress).toEqual([
    expect.objectContaining({ fromPort: 443, toPort: 443, cidrBlocks: ["10.1.0.0/20"] }),
  ]);
});

test("trusted addresses pass first, other countries are blocked", () => {
  const rules: Inputs[] = only(plan, "aws:wafv2/webAcl:WebAcl").inputs.rules;
  expect(only(plan, "aws:wafv2/ipSet:IpSet").inputs.addresses).toEqual(["203.0.113.0/24"]);
  expect(rules[0]).toMatchObject({ name: "TrustedIps", priority: 0, action: { allow: {} } });
  expect(rules.find(({ name }) => name === "GeoBlock")).toMatchObject({
    priority: 5,
    action: { block: {} },
    statement: { notStatement: { statements: [{ geoMatchStatement: { countryCodes: ["DE", "GB"] } }] } },
  });
});

test("office hours start and stop the model", () => {
  const actions = ofType(plan, "aws:appautoscaling/scheduledAction:ScheduledAction").map(({ inputs }) => [
    inputs.schedule,
    inputs.timezone,
    inputs.scalableTargetAction,
  ]);
  expect(actions).toEqual([
    ["cron(0 7 ? * MON-FRI *)", "Europe/Berlin", { minCapacity: 1, maxCapacity: 1 }],
    ["cron(0 19 ? * MON-FRI *)", "Europe/Berlin", { minCapacity: 0, maxCapacity: 0 }],
  ]);
});

test("metrics also go to a Prometheus workspace, with a right to that one", () => {
  const task = only(plan, "aws:ecs/taskDefinition:TaskDefinition", "CentralModelTask");
  const collector = containersOf(task).find(({ name }) => name === "metrics-collector") ?? {};
  const config = JSON.parse(environmentOf(collector).AOT_CONFIG_CONTENT ?? "{}");
  expect(config.exporters.prometheusremotewrite.endpoint).toBe(REMOTE_WRITE);
  expect(config.service.pipelines.metrics.exporters).toEqual(["awsemf", "prometheusremotewrite"]);
  const { statements } = rightsOf(plan, only(plan, "aws:iam/role:Role", "CentralTaskRole"));
  expect(statements).toContainEqual(
    expect.objectContaining({
      Action: ["aps:RemoteWrite"],
      Resource: ["arn:aws:aps:eu-central-1:123456789012:workspace/ws-1"],
    }),
  );
});

test("another issuer takes Cognito's place", () => {
  expect(ofType(plan, "aws:cognito/userPool:UserPool")).toEqual([]);
  expect(only(plan, "aws:apigatewayv2/authorizer:Authorizer").inputs.jwtConfiguration).toEqual({
    issuer: "https://login.example.org/tenant",
    audiences: ["central-llm"],
  });
});

test("a pre-baked image is used as it is", () => {
  expect(only(plan, "aws:ec2/launchTemplate:LaunchTemplate").inputs.imageId).toBe("ami-0123456789abcdef0");
});

test("a guardrail finds personal data: the proxy takes its settings, and the role may apply that one", () => {
  const task = only(plan, "aws:ecs/taskDefinition:TaskDefinition", "GatewayTask");
  const [proxy = {}] = containersOf(task);
  const { guardrail } = parseGatewayConfig({ ...environmentOf(proxy), ...secretsOf(proxy) });
  expect(guardrail).toMatchObject({ guardrailId: "gr4711", guardrailVersion: "3" });
  const { statements } = rightsOf(plan, only(plan, "aws:iam/role:Role", "GatewayTaskRole"));
  expect(statements).toContainEqual(
    expect.objectContaining({
      Action: ["bedrock:ApplyGuardrail"],
      Resource: ["arn:aws:bedrock:eu-central-1:123456789012:guardrail/gr4711"],
    }),
  );
});

test("the native engine is one line away: our proxy alone, on the same database, at half the size", () => {
  const task = only(plan, "aws:ecs/taskDefinition:TaskDefinition", "GatewayTask");
  expect(containersOf(task).map(({ name }) => name)).toEqual(["audit-proxy"]);
  expect(task.inputs).toMatchObject({ cpu: "1024", memory: "2048" });
  expect(environmentOf(containersOf(task)[0] ?? {})).toMatchObject({
    GATEWAY_ENGINE: "native",
    DATABASE_NAME: "litellm_db",
    DATABASE_HOST: "llmlite-postgres.eu-central-1.rds.amazonaws.com",
  });
});

test("a model behind an inference profile may be called in other regions, but only by way of it", () => {
  const profile = `arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.${SONNET}`;
  const Action = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"];
  const { statements } = rightsOf(plan, only(plan, "aws:iam/role:Role", "GatewayTaskRole"));
  const aboutIt = statements.filter((statement) => JSON.stringify(statement).includes("sonnet-4-5"));
  expect(aboutIt).toEqual([
    expect.objectContaining({ Action, Resource: [profile] }),
    expect.objectContaining({
      Action,
      Resource: [
        `arn:aws:bedrock:*::foundation-model/${SONNET}`,
        `arn:aws:bedrock:::foundation-model/${SONNET}`,
      ],
      Condition: { StringEquals: { "bedrock:InferenceProfileArn": [profile] } },
    }),
    // Tokens are counted without it.
    expect.objectContaining({
      Action: ["bedrock:CountTokens"],
      Resource: expect.arrayContaining([`arn:aws:bedrock:eu-central-1::foundation-model/${SONNET}`]),
    }),
  ]);
});

test("a model on a server of OpenAI's wire gets its key from a secret of the stage", () => {
  const [proxy = {}] = containersOf(only(plan, "aws:ecs/taskDefinition:TaskDefinition", "GatewayTask"));
  const secret = proxy.secrets.find(({ name }: Inputs) => name === "OPENAI_API_KEY");
  const { models } = parseGatewayConfig({ ...environmentOf(proxy), ...secretsOf(proxy) });
  expect(models.find("gpt-4o")?.target).toMatchObject({ apiKeyEnv: "OPENAI_API_KEY" });
  const { statements } = rightsOf(plan, only(plan, "aws:iam/role:Role", "GatewayExecutionRole"));
  const readable = statements.find(({ Action }) => Action.includes("secretsmanager:GetSecretValue"));
  expect(readable?.Resource).toContain(secret.valueFrom);
});
