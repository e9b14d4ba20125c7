/** The audit console: a static site and its API on one CloudFront origin, behind sign-in. */
import { DIGEST_PREFIX } from "@central-llm/core/digest";
import { AUDIT_PREFIX } from "@central-llm/core/platform";
import { LEDGER_PREFIX } from "@central-llm/core/reconcile-ledger";
import { STATEMENT_PREFIX } from "@central-llm/core/writer-statement";
import { alarm } from "./alarm.ts";
import { deadLetterQueue, queue } from "./audit-ingest.ts";
import { bucket } from "./audit-storage.ts";
import { table } from "./audit-table.ts";
import { CONSOLE_HOST, issuer, LOCAL_PAGE } from "./console-sign-in.ts";
import { zoneId } from "./domain.ts";
import { key } from "./encryption.ts";
import * as Exports from "./exports.ts";
import { lambdaFunction } from "./lambda-function.ts";
import { LAMBDA_FUNCTIONS } from "./lambda-functions.ts";
import "./rollups.ts";
import { named, settings } from "./stage.ts";

const api = new sst.aws.ApiGatewayV2("ConsoleApi", {
  // Same origin as the site: no other page may read its answers.
  cors: false,
  transform: {
    api: (args) => {
      args.name = named("central-llm-console-api");
    },
    logGroup: (args, opts) => {
      args.name = `/aws/apigateway/${named("central-llm-console-api")}`;
      args.retentionInDays = settings.logRetentionDays;
      args.kmsKeyId = key.arn;
      opts.ignoreChanges = [];
    },
    route: { handler: { runtime: "nodejs24.x" } },
  },
});
const authorizer = api.addAuthorizer({
  name: "oidc",
  jwt: { issuer: issuer.url, audiences: [issuer.audience] },
});

const gateway = settings.gateway ? await import("./gateway-service.ts") : null;
const { api: handler } = LAMBDA_FUNCTIONS;
if (handler.written) {
  const { arn } = new sst.aws.Function(
    "ConsoleApiFunction",
    lambdaFunction(
      handler,
      {
        TABLE_NAME: table.name,
        AUDIT_BUCKET: bucket.name,
        AUDIT_PREFIX,
        INGEST_QUEUE_URL: queue.url,
        AUDIT_DLQ_URL: deadLetterQueue.url,
        EXPORT_QUEUE_URL: Exports.queue.url,
        EXPORT_BUCKET: Exports.bucket.name,
        OIDC_ISSUER: issuer.url,
        OIDC_CLIENT_ID: issuer.audience,
        ...(gateway && { GATEWAY_URL: gateway.url, LITELLM_MASTER_KEY_SECRET: gateway.masterKeySecretArn }),
        ...(issuer.logoutUrl && { OIDC_LOGOUT_URL: issuer.logoutUrl }),
      },
      [
        {
          actions: ["dynamodb:Query", "dynamodb:BatchGetItem"],
          resources: [table.arn, $interpolate`${table.arn}/index/*`],
        },
        // How far rollups are, and the export jobs.
        { actions: ["dynamodb:GetItem"], resources: [table.arn] },
        { actions: ["dynamodb:PutItem"], resources: [table.arn], conditions: Exports.exportItems },
        // Accesses are audit objects themselves.
        {
          actions: ["s3:GetObject", "s3:PutObject"],
          resources: [$interpolate`${bucket.arn}/${AUDIT_PREFIX}/*`],
        },
        {
          actions: ["s3:GetObject"],
          resources: [LEDGER_PREFIX, DIGEST_PREFIX, STATEMENT_PREFIX].map(
            (prefix) => $interpolate`${bucket.arn}/${prefix}/*`,
          ),
        },
        // An operator may have an hour looked at anew.
        { actions: ["s3:PutObject"], resources: [$interpolate`${bucket.arn}/${LEDGER_PREFIX}/*`] },
        // Lists days, and lets S3 say "not there" instead of "forbidden".
        { actions: ["s3:ListBucket"], resources: [bucket.arn] },
        // What its links let people read for five minutes.
        { actions: ["s3:GetObject"], resources: [$interpolate`${Exports.bucket.arn}/exports/*`] },
        {
          actions: [
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:ChangeMessageVisibility",
            "sqs:GetQueueAttributes",
          ],
          resources: [deadLetterQueue.arn],
        },
        { actions: ["sqs:SendMessage", "sqs:GetQueueAttributes"], resources: [queue.arn] },
        { actions: ["sqs:SendMessage"], resources: [Exports.queue.arn] },
        // Keys and budgets are the gateway's; its administration wants the master key.
        ...(gateway
          ? [{ actions: ["secretsmanager:GetSecretValue"], resources: [gateway.masterKeySecretArn] }]
          : []),
        { actions: ["kms:Decrypt", "kms:GenerateDataKey"], resources: [key.arn] },
      ],
    ),
  );
  api.route("ANY /api/{proxy+}", arn, { auth: { jwt: { authorizer: authorizer.id } } });
  // How to sign in is said before anybody has.
  api.route("GET /config.json", arn);
}
alarm("ConsoleApiErrors", {
  name: `${handler.name}-errors`,
  description: "The console's API dies or runs out of time: its log says in which route.",
  metric: {
    namespace: "AWS/Lambda",
    metricName: "Errors",
    dimensions: { FunctionName: named(handler.name) },
    statistic: "Sum",
    period: 300,
  },
  threshold: { above: 0 },
  periods: 1,
});
alarm("ConsoleApiFailures", {
  name: `${handler.name}-failures`,
  description:
    "The console's API answers with errors of its own, or cannot record accesses and so grants none.",
  metric: {
    namespace: "CentralLLM",
    metricName: "ApiFailures",
    dimensions: { service: handler.name },
    statistic: "Sum",
    period: 300,
  },
  threshold: { above: 2 },
  periods: 1,
});

const securityHeaders = new aws.cloudfront.ResponseHeadersPolicy("ConsoleHeaders", {
  name: named("central-llm-console"),
  securityHeadersConfig: {
    strictTransportSecurity: {
      accessControlMaxAgeSec: 31_536_000,
      includeSubdomains: true,
      preload: true,
      override: true,
    },
    contentTypeOptions: { override: true },
    frameOptions: { frameOption: "DENY", override: true },
    referrerPolicy: { referrerPolicy: "no-referrer", override: true },
    contentSecurityPolicy: {
      // The issuer is the one foreign origin that a page talks to, when signing in.
      contentSecurityPolicy: $interpolate`default-src 'self'; connect-src 'self' ${issuer.origins}; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'`,
      override: true,
    },
  },
  customHeadersConfig: {
    items: [
      { header: "Permissions-Policy", value: "camera=(), microphone=(), geolocation=()", override: true },
      { header: "Cross-Origin-Opener-Policy", value: "same-origin", override: true },
    ],
  },
});

const router = new sst.aws.Router("ConsoleRouter", {
  domain: { name: CONSOLE_HOST, dns: sst.aws.dns({ zone: zoneId }) },
  transform: {
    cdn: (args) => {
      args.transform = {
        distribution: (distribution) => {
          distribution.comment = named("central-llm-console");
          distribution.defaultCacheBehavior = $util
            .output(distribution.defaultCacheBehavior)
            .apply((behavior) => ({ ...behavior, responseHeadersPolicyId: securityHeaders.id }));
        },
      };
    },
  },
});
router.route("/api", api.url);
router.route("/config.json", api.url);
const site = new sst.aws.StaticSite("Console", {
  router: { instance: router },
  path: "packages/web",
  build: { command: "npm run build", output: "dist" },
  // `sst dev`: Vite's server with hot reload, in front of the stage's own API.
  dev: { command: "npm run dev", url: LOCAL_PAGE },
  transform: {
    assets: (args) => {
      args.cors = false;
      args.versioning = true;
    },
  },
  // Of the dev server alone: the page asks /config.json how to sign in, so that one build serves every stage.
  environment: { CONSOLE_API_URL: router.url },
});

if (!site.nodes.assets) throw new Error("a site without files");
// Public files: S3's own key, which CloudFront may use without a right to ours.
new aws.s3.BucketServerSideEncryptionConfiguration("ConsoleAssetsEncryption", {
  bucket: site.nodes.assets.name,
  rules: [{ applyServerSideEncryptionByDefault: { sseAlgorithm: "AES256" } }],
});

export const { url } = router;
