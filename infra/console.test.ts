import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { planOf } from "./plan/plan.ts";
import { ofType, only, rightsOf } from "./plan/resource.ts";

const plans = [
  ["prod", await planOf("prod")],
  ["dev", await planOf("dev")],
] as const;

describe.each(plans)("the console of %s", (stage, plan) => {
  test("signs people in with a second factor, into groups that are its roles", () => {
    const pool = only(plan, "aws:cognito/userPool:UserPool").inputs;
    expect(pool.mfaConfiguration).toBe("ON");
    expect(pool.adminCreateUserConfig).toEqual({ allowAdminCreateUserOnly: true });
    expect(pool.passwordPolicy.minimumLength).toBeGreaterThanOrEqual(14);
    expect(pool.deletionProtection).toBe(stage === "prod" ? "ACTIVE" : "INACTIVE");
    const groups = ofType(plan, "aws:cognito/userGroup:UserGroup").map(({ inputs }) => inputs.name);
    expect(groups).toEqual(["viewer", "auditor", "operator", "admin"]);
    expect(only(plan, "aws:cognito/userPoolClient:UserPoolClient").inputs).toMatchObject({
      generateSecret: false,
      allowedOauthFlows: ["code"],
      callbackUrls:
        stage === "prod"
          ? ["https://console.llm.example.com/callback"]
          : ["https://console.dev.llm.example.com/callback", "http://localhost:5173/callback"],
      enableTokenRevocation: true,
      accessTokenValidity: 15,
    });
  });

  test("has an API that checks the tokens of that pool, and lets no other page read it", () => {
    const authorizer = only(plan, "aws:apigatewayv2/authorizer:Authorizer").inputs;
    expect(authorizer).toMatchObject({
      authorizerType: "JWT",
      jwtConfiguration: {
        issuer: "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_pool",
        audiences: ["ConsoleClient-id"],
      },
    });
    expect(only(plan, "aws:apigatewayv2/api:Api").inputs.corsConfiguration ?? {}).toEqual({});
    for (const route of ofType(plan, "aws:apigatewayv2/route:Route")) {
      // How to sign in is said before anybody has.
      const open = route.inputs.routeKey === "GET /config.json";
      expect(route.inputs.authorizationType ?? "NONE", route.name).toBe(open ? "NONE" : "JWT");
    }
  });

  test("makes exports from a queue into a bucket that forgets them, one job at a time", () => {
    const queue = only(plan, "aws:sqs/queue:Queue", "ExportQueueQueue").inputs;
    expect(queue.visibilityTimeoutSeconds).toBeGreaterThanOrEqual(6 * 900);
    expect(JSON.parse(queue.redrivePolicy)).toMatchObject({
      deadLetterTargetArn: expect.stringContaining(":llm-audit-exports-dlq"),
      maxReceiveCount: 3,
    });
    const mapping = ofType(plan, "aws:lambda/eventSourceMapping:EventSourceMapping").find(({ inputs }) =>
      String(inputs.eventSourceArn).endsWith(`:${queue.name}`),
    );
    expect(mapping?.inputs).toMatchObject({
      batchSize: 1,
      functionResponseTypes: ["ReportBatchItemFailures"],
    });
    const lifecycle = only(
      plan,
      "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
      "ExportBucketLifecycle",
    );
    expect(lifecycle.inputs.rules[0].expiration).toEqual({ days: 7 });
  });

  test("counts for its charts every minute, never twice at once", () => {
    expect(only(plan, "aws:scheduler/schedule:Schedule", "RollupSchedule").inputs).toMatchObject({
      scheduleExpression: "rate(1 minute)",
    });
    expect(only(plan, "aws:lambda/function:Function", "RollupHandlerFunction").inputs).toMatchObject({
      reservedConcurrentExecutions: 1,
    });
  });

  test("may write export jobs and rollups into the audit table, and no rows", () => {
    for (const [role, prefix] of [
      ["ConsoleApiFunctionRole", "export#*"],
      ["RollupHandlerRole", "rollup#*"],
    ] as const) {
      const { statements } = rightsOf(plan, only(plan, "aws:iam/role:Role", role));
      const writes = statements.filter(({ Action }) =>
        Action.some((a) => /dynamodb:(Put|Delete|BatchWrite)/.test(a)),
      );
      expect(writes).toHaveLength(1);
      expect(JSON.stringify(writes)).toContain(prefix);
      expect(JSON.stringify(writes)).toContain("dynamodb:LeadingKeys");
    }
  });

  test("serves the page that packages/web builds, at whatever address is not a file's", () => {
    const site = plan.resources.find(({ name }) => name.startsWith("ConsoleKvKeys"));
    expect(JSON.parse(site?.inputs.entries.metadata)).toMatchObject({ custom404: "/index.html" });
    const source = readFileSync(join(import.meta.dirname, "console.ts"), "utf8");
    const { scripts } = JSON.parse(
      readFileSync(join(import.meta.dirname, "../packages/web/package.json"), "utf8"),
    );
    expect(source).toContain('path: "packages/web"');
    expect(source).toContain('build: { command: "npm run build", output: "dist" }');
    expect(scripts.build).toMatch(/^vite build/);
    // `sst dev`: with hot reload (packages/web/browser/hot-reload.test.ts).
    expect(source).toContain('dev: { command: "npm run dev", url: LOCAL_PAGE }');
    expect(scripts.dev).toBe("vite");
  });

  test("answers with headers that a browser defends it by", () => {
    const headers = only(plan, "aws:cloudfront/responseHeadersPolicy:ResponseHeadersPolicy");
    const { securityHeadersConfig: security } = headers.inputs;
    expect(security.strictTransportSecurity).toMatchObject({
      accessControlMaxAgeSec: 31_536_000,
      override: true,
    });
    expect(security.frameOptions.frameOption).toBe("DENY");
    const policy = security.contentSecurityPolicy.contentSecurityPolicy;
    expect(policy).toMatch(/^default-src 'self';/);
    expect(policy).not.toMatch(/unsafe-inline|unsafe-eval|\*/);
    const distribution = only(plan, "aws:cloudfront/distribution:Distribution").inputs;
    expect(distribution.defaultCacheBehavior).toMatchObject({
      responseHeadersPolicyId: headers.id,
      viewerProtocolPolicy: "redirect-to-https",
    });
    expect(distribution.aliases).toEqual([
      stage === "prod" ? "console.llm.example.com" : "console.dev.llm.example.com",
    ]);
  });
});
