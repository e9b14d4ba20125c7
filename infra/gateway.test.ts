import { readFileSync } from "node:fs";
import { GATEWAY_NODE_OPTIONS } from "@central-llm/core/platform";
import { parseGatewayConfig } from "@central-llm/proxy/gateway/gateway-config";
import { describe, expect, test } from "vitest";
import { planOf } from "./plan/plan.ts";
import {
  containersOf,
  environmentOf,
  type Inputs,
  ofType,
  only,
  type Plan,
  rightsOf,
  SECRET,
  secretsOf,
} from "./plan/resource.ts";

const [prod, dev] = [await planOf("prod"), await planOf("dev")];
const both = [
  ["prod", prod],
  ["dev", dev],
] as const;

const task = (plan: Plan) => only(plan, "aws:ecs/taskDefinition:TaskDefinition", "GatewayTask");
const container = (plan: Plan, name: string): Inputs =>
  containersOf(task(plan)).find((one) => one.name === name) ?? {};

describe.each(both)("the load balancer of %s", (_, plan) => {
  test("speaks TLS 1.3 and 1.2, sends plain HTTP to HTTPS and asks browsers to remember that", () => {
    const listener = (name: string) => only(plan, "aws:lb/listener:Listener", name).inputs;
    expect(listener("GatewayHttps")).toMatchObject({
      port: 443,
      protocol: "HTTPS",
      sslPolicy: "ELBSecurityPolicy-TLS13-1-2-2021-06",
      routingHttpResponseStrictTransportSecurityHeaderValue: expect.stringContaining("max-age=31536000"),
    });
    expect(listener("GatewayHttp").defaultActions).toEqual([
      { type: "redirect", redirect: { protocol: "HTTPS", port: "443", statusCode: "HTTP_301" } },
    ]);
  });

  test("has the seed's times, and access logs", () => {
    const balancer = only(plan, "aws:lb/loadBalancer:LoadBalancer", "GatewayBalancer").inputs;
    expect(balancer).toMatchObject({
      loadBalancerType: "application",
      idleTimeout: 60,
      dropInvalidHeaderFields: true,
      enableDeletionProtection: plan.stage === "prod",
      accessLogs: { enabled: true },
      subnets: ["PublicSubnetA-id", "PublicSubnetB-id"],
    });
    expect(only(plan, "aws:lb/targetGroup:TargetGroup", "GatewayTargets").inputs).toMatchObject({
      port: 4000,
      protocol: "HTTP",
      targetType: "ip",
      deregistrationDelay: 30,
      stickiness: { enabled: false },
      healthCheck: {
        path: "/health",
        interval: 30,
        timeout: 5,
        healthyThreshold: 2,
        unhealthyThreshold: 3,
        matcher: "200",
      },
    });
  });

  test("hides what the proxy tells its operators", () => {
    const rule = only(plan, "aws:lb/listenerRule:ListenerRule").inputs;
    expect(rule.conditions).toEqual([{ pathPattern: { values: ["/metrics", "/ready"] } }]);
    expect(rule.actions[0].fixedResponse.statusCode).toBe("404");
  });
});

describe.each(both)("the service of %s", (_, plan) => {
  test("rolls out without an interruption and rolls back by itself", () => {
    expect(only(plan, "aws:ecs/service:Service", "GatewayService").inputs).toMatchObject({
      launchType: "FARGATE",
      deploymentMinimumHealthyPercent: 100,
      deploymentMaximumPercent: 200,
      deploymentCircuitBreaker: { enable: true, rollback: true },
      healthCheckGracePeriodSeconds: 60,
      enableExecuteCommand: false,
    });
  });

  test("scales by CPU, quickly up and slowly down", () => {
    const { minCapacity, maxCapacity } = only(plan, "aws:appautoscaling/target:Target").inputs;
    expect([minCapacity, maxCapacity]).toEqual(plan.stage === "prod" ? [2, 5] : [1, 2]);
    expect(
      only(plan, "aws:appautoscaling/policy:Policy").inputs.targetTrackingScalingPolicyConfiguration,
    ).toMatchObject({
      predefinedMetricSpecification: { predefinedMetricType: "ECSServiceAverageCPUUtilization" },
      targetValue: 70,
      scaleInCooldown: 300,
      scaleOutCooldown: 60,
    });
  });

  test("gets its secrets by name, and has none in its text", () => {
    const text = task(plan).inputs.containerDefinitions as string;
    // A secret value anywhere in the text would have made the whole text a secret.
    expect(text).not.toBe(SECRET);
    expect(text).not.toContain("plan-only");
    const secrets = container(plan, "audit-proxy").secrets.map((secret: Inputs) => [
      secret.name,
      secret.valueFrom,
    ]);
    expect(Object.fromEntries(secrets)).toEqual({
      DATABASE_USERNAME: expect.stringMatching(/^arn:aws:secretsmanager:.*:username::$/),
      DATABASE_PASSWORD: expect.stringMatching(/^arn:aws:secretsmanager:.*:password::$/),
      LITELLM_MASTER_KEY: expect.stringMatching(/^arn:aws:secretsmanager:.*llmlite-master-key/),
    });
    const value = only(plan, "aws:secretsmanager/secretVersion:SecretVersion").inputs.secretString;
    expect(value).toBe(SECRET);
    for (const one of containersOf(task(plan))) {
      for (const [name, set] of Object.entries(environmentOf(one))) {
        if (name !== "LITELLM_CONFIG") expect(`${name}=${set}`).not.toMatch(/PASSWORD|MASTER_KEY|postgres:/);
      }
    }
  });
});

describe("prod's engine", () => {
  test("is LiteLLM by digest on port 4001, behind our proxy in a task that is large enough for both", () => {
    expect(task(prod).inputs).toMatchObject({ cpu: "2048", memory: "4096" });
    const litellm = container(prod, "litellm-proxy");
    expect(litellm.image).toMatch(/^ghcr\.io\/berriai\/litellm@sha256:[0-9a-f]{64}$/);
    expect(litellm.command.join()).toContain("--port 4001");
    expect(litellm.portMappings).toBeUndefined();
    expect(environmentOf(litellm)).toMatchObject({
      LITELLM_LOG: "INFO",
      STORE_MODEL_IN_DB: "True",
      AWS_REGION: "eu-central-1",
    });
    const proxy = container(prod, "audit-proxy");
    expect(environmentOf(proxy)).toMatchObject({
      PROFILE: "gateway",
      NODE_OPTIONS: GATEWAY_NODE_OPTIONS,
      PORT: "4000",
      GATEWAY_ENGINE: "litellm",
      LITELLM_URL: "http://127.0.0.1:4001",
    });
    const sum = (part: "cpu" | "memory") =>
      containersOf(task(prod)).reduce((total, one) => total + (one[part] ?? 0), 0);
    expect(sum("cpu")).toBeLessThanOrEqual(2048);
    expect(sum("memory")).toBeLessThanOrEqual(4096);
  });

  test("is configured from the model list, with nothing secret in it", () => {
    const config = JSON.parse(environmentOf(container(prod, "litellm-proxy")).LITELLM_CONFIG ?? "{}");
    expect(config.model_list.map((model: Inputs) => [model.model_name, model.litellm_params.model])).toEqual([
      ["claude-3-5-sonnet", "bedrock/anthropic.claude-3-5-sonnet-20241022-v2:0"],
      ["claude-3-opus", "bedrock/anthropic.claude-3-opus-20240229-v1:0"],
    ]);
    expect(config.general_settings.master_key).toBe("os.environ/LITELLM_MASTER_KEY");
  });

  test("migrates the database before it serves", () => {
    const [migration, dependent] = [container(prod, "litellm-migration"), container(prod, "litellm-proxy")];
    expect(migration.essential).toBe(false);
    expect(dependent.dependsOn).toEqual([{ containerName: "litellm-migration", condition: "SUCCESS" }]);
    expect(environmentOf(dependent).DISABLE_SCHEMA_UPDATE).toBe("True");
  });
});

describe.each(both)("the daily cost file of %s", (_, plan) => {
  const bucket = only(plan, "aws:s3/bucket:Bucket", "CostTrackingBucketBucket").inputs.bucket;

  test("goes to the cost-tracking bucket, where the task may write below daily/ alone", () => {
    expect(environmentOf(container(plan, "audit-proxy")).COST_TRACKING_BUCKET).toBe(bucket);
    const role = only(plan, "aws:iam/role:Role", "GatewayTaskRole");
    const rights = rightsOf(plan, role).statements.filter(({ Resource }) =>
      Resource.some((arn) => arn.includes(bucket)),
    );
    expect(rights.map(({ Action, Resource }) => [Action, Resource])).toEqual([
      [["s3:GetObject", "s3:PutObject"], [`arn:aws:s3:::${bucket}/daily/*`]],
      [["s3:ListBucket"], [`arn:aws:s3:::${bucket}`]],
    ]);
  });

  test("is missed after three hours, by the line that says that it was written", () => {
    const filter = only(plan, "aws:cloudwatch/logMetricFilter:LogMetricFilter", "CostFilesUpToDate").inputs;
    const [, line = ""] = /"(.+)"/.exec(filter.pattern) ?? [];
    const source = readFileSync("packages/proxy/src/gateway/cost-files.ts", "utf8");
    expect(source).toContain(`log.info({ written }, "${line}")`);
    const { name, namespace } = filter.metricTransformation;
    const alarm = only(plan, "aws:cloudwatch/metricAlarm:MetricAlarm", "CostFilesStale").inputs;
    expect(alarm).toMatchObject({
      metricName: name,
      namespace,
      comparisonOperator: "LessThanThreshold",
      threshold: 1,
      period: 3600,
      evaluationPeriods: 3,
      treatMissingData: "breaching",
    });
  });
});

test("dev's engine is our own: one container of a quarter of a CPU", () => {
  expect(containersOf(task(dev)).map(({ name }) => name)).toEqual(["audit-proxy"]);
  expect(task(dev).inputs).toMatchObject({ cpu: "256", memory: "512" });
  expect(environmentOf(container(dev, "audit-proxy")).GATEWAY_ENGINE).toBe("native");
});

test("every stage answers to its own name, with a certificate proven in its own zone", () => {
  for (const [plan, host] of [
    [prod, "gateway.llm.example.com"],
    [dev, "gateway.dev.llm.example.com"],
  ] as const) {
    expect(only(plan, "aws:acm/certificate:Certificate", "GatewayCertificate").inputs.domainName).toBe(host);
    const names = ofType(plan, "aws:route53/record:Record").map(({ inputs }) => inputs.name);
    expect(names).toEqual(expect.arrayContaining([host, `_validate.${host}`]));
  }
});

test.each(both)("the proxy's own parser takes what the gateway's task of %s gives it", (stage, plan) => {
  const proxy = container(plan, "audit-proxy");
  const config = parseGatewayConfig({ ...environmentOf(proxy), ...secretsOf(proxy) });
  expect(config).toMatchObject({
    PROFILE: "gateway",
    GATEWAY_ENGINE: stage === "prod" ? "litellm" : "native",
    LITELLM_MASTER_KEY: "made-up-LITELLM_MASTER_KEY",
    ...(stage === "prod" && { LITELLM_URL: "http://127.0.0.1:4001" }),
    AUDIT_BUCKET: stage === "prod" ? "central-llm-audit" : "central-llm-audit-dev",
    guardrail: null,
  });
  const host = `llmlite-postgres${stage === "dev" ? "-dev" : ""}.eu-central-1.rds.amazonaws.com`;
  // RDS refuses what is not encrypted (rds.force_ssl).
  expect(config.DATABASE_URL).toBe(
    `postgresql://made-up-DATABASE_USERNAME:made-up-DATABASE_PASSWORD@${host}:5432/litellm_db?sslmode=no-verify`,
  );
  expect(config.models.models.map(({ name }) => name)).toEqual(["claude-3-5-sonnet", "claude-3-opus"]);
});
