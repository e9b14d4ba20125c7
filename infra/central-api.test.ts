import { API_KEY_ID_HEADER, REQUIRED_HEADERS } from "@central-llm/core/platform";
import { CENTRAL_PLAN, CLIENT_PLAN } from "@central-llm/core/usage-plan";
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

  test("refuses in OpenAI's shape", () => {
    const answers = ofType(plan, "aws:apigateway/response:Response");
    expect(answers).toHaveLength(6);
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
