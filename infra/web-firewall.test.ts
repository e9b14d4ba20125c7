import { describe, expect, test } from "vitest";
import { planOf } from "./plan/plan.ts";
import { type Inputs, ofType, only, type Plan } from "./plan/resource.ts";

const [prod, dev] = [await planOf("prod"), await planOf("dev")];
const rules = (plan: Plan): Inputs[] => only(plan, "aws:wafv2/webAcl:WebAcl").inputs.rules;
const rule = (plan: Plan, name: string): Inputs => rules(plan).find((one) => one.name === name) ?? {};

describe("the firewall", () => {
  test("looks at requests in the seed's order", () => {
    expect(rules(prod).map(({ priority, name }) => [priority, name])).toEqual([
      [1, "AWSManagedRulesAmazonIpReputationList"],
      [2, "AWSManagedRulesCommonRuleSet"],
      [3, "AWSManagedRulesKnownBadInputsRuleSet"],
      [4, "RateLimit-PerIP"],
      [6, "BodyRulesOutsideModelRoutes"],
    ]);
    expect(only(prod, "aws:wafv2/webAcl:WebAcl").inputs).toMatchObject({
      name: "llmlite-waf-acl",
      scope: "REGIONAL",
      defaultAction: { allow: {} },
    });
  });

  test("allows an address 2,000 requests in five minutes", () => {
    expect(rule(prod, "RateLimit-PerIP")).toMatchObject({
      action: { block: {} },
      statement: { rateBasedStatement: { limit: 2000, evaluationWindowSec: 300, aggregateKeyType: "IP" } },
    });
  });

  test("blocks in prod and counts in dev", () => {
    for (const { name, overrideAction, action } of rules(prod)) {
      expect(overrideAction ?? action, name).toEqual(overrideAction ? { none: {} } : { block: {} });
    }
    for (const { name, overrideAction, action } of rules(dev)) {
      expect(overrideAction ?? action, name).toEqual({ count: {} });
    }
  });

  test("lets long prompts, code and markup through to the model, and nowhere else", () => {
    const overrides = rule(prod, "AWSManagedRulesCommonRuleSet").statement.managedRuleGroupStatement
      .ruleActionOverrides;
    expect(overrides.map(({ name }: Inputs) => name)).toEqual(
      expect.arrayContaining(["SizeRestrictions_BODY", "CrossSiteScripting_BODY"]),
    );
    for (const { actionToUse } of overrides) expect(actionToUse).toEqual({ count: {} });
    const [labels, elsewhere] = rule(prod, "BodyRulesOutsideModelRoutes").statement.andStatement.statements;
    expect(labels.orStatement.statements).toHaveLength(overrides.length);
    expect(labels.orStatement.statements[0].labelMatchStatement.key).toBe(
      "awswaf:managed:aws:core-rule-set:SizeRestrictions_Body",
    );
    expect(elsewhere.notStatement.statements[0].byteMatchStatement).toMatchObject({
      searchString: "/v1/",
      positionalConstraint: "STARTS_WITH",
    });
  });

  test.each([
    ["prod", prod],
    ["dev", dev],
  ])("of %s stands before the load balancer and keeps a record without keys, in two places", (_, plan) => {
    expect(only(plan, "aws:wafv2/webAclAssociation:WebAclAssociation").inputs.resourceArn).toMatch(
      /loadbalancer\/app\/llmlite-alb/,
    );
    const logging = only(plan, "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration").inputs;
    expect(logging.redactedFields).toContainEqual({ singleHeader: { name: "authorization" } });
    expect(logging.logDestinationConfigs[0]).toContain(":log-group:aws-waf-logs-llmlite");
    const filter = only(plan, "aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter").inputs;
    const delivery = only(plan, "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream");
    expect(filter.logGroup).toMatch(/^aws-waf-logs-llmlite/);
    expect(filter.destinationArn).toContain(delivery.inputs.name);
    expect(delivery.inputs.extendedS3Configuration.bucketArn).toMatch(
      /llmlite-waf-logs(-dev)?-123456789012$/,
    );
  });

  test("has no rule for trusted addresses or countries until a stage names them", () => {
    expect(ofType(prod, "aws:wafv2/ipSet:IpSet")).toEqual([]);
    expect(rule(prod, "GeoBlock")).toEqual({});
  });
});
