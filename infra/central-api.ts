/** The way in for applications (seeds 001 §1.1, 002 §7, 003): API keys, usage plans, required headers, a private link to
 * the model. Answers are streamed: docs/decisions/streaming.md. */
import { API_GATEWAY_ANSWERS, answerBody } from "@central-llm/core/api-gateway-answer";
import { API_KEY_ID_HEADER, PORTS, REQUIRED_HEADERS } from "@central-llm/core/platform";
import { model } from "./central-service.ts";
import { key } from "./encryption.ts";
import { logGroup } from "./log-group.ts";
import { named, settings } from "./stage.ts";

export { service } from "./central-service.ts";

/** The longest that API Gateway lets a streamed answer take. */
const FIFTEEN_MINUTES_MS = 900_000;

const name = named("central-llm-rest-api");
const api = new sst.aws.ApiGatewayV1("CentralApi", {
  endpoint: { type: "regional" },
  // Servers call this API, browsers do not; SST would allow every origin.
  cors: false,
  transform: {
    api: (args) => {
      args.name = name;
    },
    accessLog: (args, opts) => {
      args.name = `/aws/apigateway/${name}/${$app.stage}`;
      args.retentionInDays = settings.logRetentionDays;
      args.kmsKeyId = key.arn;
      opts.ignoreChanges = [];
    },
    deployment: (args) => {
      // A deployment is a snapshot: what SST does not count among a route's parts must be counted here.
      args.triggers = $util
        .all([args.triggers, errorAnswers.map((answer) => answer.responseTemplates)])
        .apply(([triggers, templates]) => ({ ...triggers, errorAnswers: JSON.stringify(templates) }));
    },
    stage: (args) => {
      args.accessLogSettings = $util.output(args.accessLogSettings).apply((settings) => ({
        destinationArn: settings?.destinationArn ?? "",
        format: accessLogFormat,
      }));
    },
  },
});

/** One line of JSON a request: who (API key and claimed project and user), what came of it, how long. No bodies. */
const accessLogFormat = JSON.stringify({
  requestTime: "$context.requestTime",
  requestId: "$context.requestId",
  apiKeyId: "$context.identity.apiKeyId",
  ip: "$context.identity.sourceIp",
  method: "$context.httpMethod",
  path: "$context.path",
  status: "$context.status",
  errorType: "$context.error.responseType",
  integrationLatency: "$context.integration.latency",
  responseLatency: "$context.responseLatency",
  responseLength: "$context.responseLength",
});

const validator = new aws.apigateway.RequestValidator("CentralApiHeaders", {
  restApi: api.nodes.api.id,
  name: "required-headers",
  validateRequestParameters: true,
  validateRequestBody: false,
});
const link = new aws.apigateway.VpcLink("CentralApiLink", {
  name: named("central-llm-vpc-link"),
  targetArn: model.balancer.arn,
});

/** API Gateway's own refusals, where they are not AWS's: the local edge answers from the same table. */
const errorAnswers = Object.entries(API_GATEWAY_ANSWERS).flatMap(([responseType, known]) =>
  known.openAi === null
    ? []
    : [
        new aws.apigateway.Response(`CentralApi-${responseType}`, {
          restApiId: api.nodes.api.id,
          responseType,
          statusCode: String(known.status),
          responseTemplates: { "application/json": answerBody(known, "$context.error.messageString") },
        }),
      ],
);

api.routeIntegration(
  "ANY /{proxy+}",
  {
    type: "http-proxy",
    integrationHttpMethod: "ANY",
    uri: $interpolate`http://${model.balancer.dnsName}:${PORTS.centralProxy}/{proxy}`,
    requestParameters: {
      "integration.request.path.proxy": "method.request.path.proxy",
      // Set here, it replaces whatever a client sent under this name: the proxy may trust it.
      [`integration.request.header.${API_KEY_ID_HEADER}`]: "context.identity.apiKeyId",
    },
  },
  {
    apiKey: true,
    transform: {
      method: (args) => {
        args.requestValidatorId = validator.id;
        args.requestParameters = {
          "method.request.path.proxy": true,
          ...Object.fromEntries(REQUIRED_HEADERS.map((header) => [`method.request.header.${header}`, true])),
        };
      },
      integration: (args) => {
        args.connectionType = "VPC_LINK";
        args.connectionId = link.id;
        args.responseTransferMode = "STREAM";
        args.timeoutMilliseconds = FIFTEEN_MINUTES_MS;
      },
    },
  },
);
api.deploy();
const stage = api.nodes.stage;
if (!stage) throw new Error("SST makes the stage in deploy()");

// API Gateway makes this group by itself at the first request, without encryption or an end, unless it is there.
const executionLogs = logGroup(
  "CentralApiExecutionLogs",
  $interpolate`API-Gateway-Execution-Logs_${api.nodes.api.id}/${$app.stage}`,
);
new aws.apigateway.MethodSettings(
  "CentralApiLogging",
  {
    restApi: api.nodes.api.id,
    stageName: stage.stageName,
    methodPath: "*/*",
    // Bodies stay out of logs: they are audit data. `dataTraceEnabled` would write them.
    settings: { metricsEnabled: true, loggingLevel: "ERROR", dataTraceEnabled: false },
  },
  { dependsOn: [executionLogs] },
);

for (const plan of settings.central?.usagePlans ?? []) {
  const label = plan.name.replace(/(^|-)(\w)/g, (_, __, letter: string) => letter.toUpperCase());
  const usagePlan = new aws.apigateway.UsagePlan(label, {
    name: named(plan.name),
    apiStages: [{ apiId: api.nodes.api.id, stage: stage.stageName }],
    throttleSettings: { rateLimit: plan.rate, burstLimit: plan.burst },
    quotaSettings: { limit: plan.quota.limit, period: plan.quota.period.toUpperCase() },
  });
  const apiKey = new aws.apigateway.ApiKey(`${label}Key`, { name: named(plan.keyName) });
  new aws.apigateway.UsagePlanKey(`${label}Member`, {
    keyId: apiKey.id,
    keyType: "API_KEY",
    usagePlanId: usagePlan.id,
  });
}

export const restApi = api.nodes.api;
export const { url } = api;
