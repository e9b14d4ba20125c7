import { API_KEY_ID_HEADER, REQUIRED_HEADERS } from "@central-llm/core/platform";
import { CENTRAL_PLAN, CLIENT_PLAN } from "@central-llm/core/usage-plan";
import { startEdge } from "@central-llm/local/edge";
import { PlanMeter } from "@central-llm/local/plan-meter";
import { describe, expect, test } from "vitest";
import { planOf } from "./plan/plan.ts";
import { ofType, only } from "./plan/resource.ts";

const both = [
  ["prod", await planOf("prod")],
  ["dev", await planOf("dev")],
] as const;

describe.each(both)("the REST API of %s", (stage, plan) => {
  const method = only(plan, "aws:apigateway/method:Method").inputs;
  const integration = only(plan, "aws:apigateway/integration:Integration").inputs;

  test("takes any path and method, with an API key and the audit's headers", () => {
    expect(only(plan, "aws:apigateway/resource:Resource").inputs.pathPart).toBe("{proxy+}");
    expect(method).toMatchObject({ httpMethod: "ANY", apiKeyRequired: true });
    for (const header of REQUIRED_HEADERS) {
      expect(method.requestParameters[`method.request.header.${header}`], header).toBe(true);
    }
    const validator = only(plan, "aws:apigateway/requestValidator:RequestValidator");
    expect(method.requestValidatorId).toBe(validator.id);
    expect(validator.inputs.validateRequestParameters).toBe(true);
  });

  test("says itself which key has called, whatever the client says", () => {
    expect(integration.requestParameters[`integration.request.header.${API_KEY_ID_HEADER}`]).toBe(
      "context.identity.apiKeyId",
    );
  });

  test("streams answers for up to 15 minutes through the private link", () => {
    expect(integration).toMatchObject({
      type: "HTTP_PROXY",
      connectionType: "VPC_LINK",
      responseTransferMode: "STREAM",
      timeoutMilliseconds: 900_000,
      uri: `http://central-llm-nlb${stage === "dev" ? "-dev" : ""}.elb.eu-central-1.amazonaws.com:8000/{proxy}`,
    });
    // Buffering would come back with content encoding or a cache.
    expect(only(plan, "aws:apigateway/restApi:RestApi").inputs.minimumCompressionSize).toBeUndefined();
    expect(only(plan, "aws:lb/listener:Listener", "CentralModelListener").inputs).toMatchObject({
      port: 8000,
      protocol: "TCP",
      tcpIdleTimeoutSeconds: 960,
    });
    expect(only(plan, "aws:apigateway/vpcLink:VpcLink").inputs.targetArn).toMatch(
      /loadbalancer\/net\/central-llm-nlb/,
    );
  });

  test("logs calls and errors but never bodies", () => {
    expect(only(plan, "aws:apigateway/methodSettings:MethodSettings").inputs.settings).toEqual({
      metricsEnabled: true,
      loggingLevel: "ERROR",
      dataTraceEnabled: false,
    });
    const { accessLogSettings } = only(plan, "aws:apigateway/stage:Stage").inputs;
    expect(JSON.parse(accessLogSettings.format)).toMatchObject({ apiKeyId: "$context.identity.apiKeyId" });
    expect(only(plan, "aws:cloudwatch/logGroup:LogGroup", "CentralApiAccessLog").inputs.name).toBe(
      `/aws/apigateway/central-llm-rest-api${stage === "dev" ? "-dev" : ""}/${stage}`,
    );
  });

  test("refuses keys and limits in AWS's words, all else in OpenAI's shape", () => {
    const answers = ofType(plan, "aws:apigateway/response:Response");
    expect(answers.map(({ inputs }) => [inputs.responseType, inputs.statusCode])).toEqual([
      ["BAD_REQUEST_PARAMETERS", "400"],
      ["REQUEST_TOO_LARGE", "413"],
      ["INTEGRATION_FAILURE", "504"],
      ["INTEGRATION_TIMEOUT", "504"],
    ]);
    for (const { inputs } of answers) {
      const text = inputs.responseTemplates["application/json"].replace(
        "$context.error.messageString",
        '"x"',
      );
      expect(Object.keys(JSON.parse(text).error)).toEqual(["message", "type", "param", "code"]);
    }
  });

  test("has the seeds' two usage plans, each with its key", () => {
    const plans = ofType(plan, "aws:apigateway/usagePlan:UsagePlan");
    const suffix = stage === "dev" ? "-dev" : "";
    expect(plans.map(({ inputs: i }) => [i.name, i.throttleSettings, i.quotaSettings])).toEqual([
      [CENTRAL_PLAN.name + suffix, { rateLimit: 100, burstLimit: 50 }, { limit: 100_000, period: "MONTH" }],
      [CLIENT_PLAN.name + suffix, { rateLimit: 5, burstLimit: 10 }, { limit: 5000, period: "DAY" }],
    ]);
    const members = ofType(plan, "aws:apigateway/usagePlanKey:UsagePlanKey").map(
      ({ inputs }) => inputs.usagePlanId,
    );
    expect(members).toEqual(plans.map(({ id }) => id));
  });
});

describe("local and AWS", () => {
  const planned = new Map(
    ofType(both[0][1], "aws:apigateway/response:Response").map(({ inputs }) => [inputs.responseType, inputs]),
  );
  const headers = { "x-api-key": "", ...Object.fromEntries(REQUIRED_HEADERS.map((name) => [name, "x"])) };

  /** What the plan answers with AWS's message; AWS's own answer where the plan says nothing. */
  const onAws = (type: string, message: string) => {
    const template: string | undefined = planned.get(type)?.responseTemplates["application/json"];
    return JSON.parse(
      (template ?? '{"message":$context.error.messageString}').replace(
        "$context.error.messageString",
        JSON.stringify(message),
      ),
    );
  };

  test("refuse in the same words, with the same statuses", async () => {
    const key = { id: "k", name: "n", value: "v".repeat(40) };
    const plan = { name: "p", rate: 1, burst: 3, quota: { limit: 2, period: "day" as const } };
    // Nobody listens on the discard port.
    const at = { port: 0, upstreamUrl: "http://127.0.0.1:9", keys: [key] };
    const edge = await startEdge({ ...at, meter: new PlanMeter(plan) });
    const throttled = await startEdge({ ...at, meter: new PlanMeter({ ...plan, burst: 0 }) });
    const call = async (url: string, more: Record<string, string>) => {
      const answer = await fetch(`${url}/v1/models`, { headers: { ...headers, ...more } });
      return { status: answer.status, body: await answer.json() };
    };
    try {
      const valid = { "x-api-key": key.value };
      const status = (type: string, otherwise: number) => Number(planned.get(type)?.statusCode ?? otherwise);
      const expected = (type: string, otherwise: number, message: string) => ({
        status: status(type, otherwise),
        body: onAws(type, message),
      });
      expect(await call(edge.url, {})).toEqual(expected("INVALID_API_KEY", 403, "Forbidden"));
      expect((await call(edge.url, {})).body).toEqual({ message: "Forbidden" });
      const [missing = ""] = REQUIRED_HEADERS;
      expect(await call(edge.url, { ...valid, [missing]: "" })).toEqual(
        expected("BAD_REQUEST_PARAMETERS", 400, `Missing required request parameters: [${missing}]`),
      );
      expect(await call(edge.url, valid)).toEqual(
        expected("INTEGRATION_FAILURE", 504, "Network error communicating with endpoint"),
      );
      expect(await call(edge.url, valid)).toEqual(expected("QUOTA_EXCEEDED", 429, "Limit Exceeded"));
      expect(await call(throttled.url, valid)).toEqual(expected("THROTTLED", 429, "Too Many Requests"));
    } finally {
      await edge.stop();
      await throttled.stop();
    }
  });
});
