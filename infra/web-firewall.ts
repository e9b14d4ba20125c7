/** Seed 004 §4.1: what is looked at before a request reaches the load balancer; firewall-logs.ts keeps the record. */
import { named, settings } from "./stage.ts";

const { gateway } = settings;
if (!gateway) throw new Error("this stage has no gateway");
const { firewall } = gateway;

const counting = firewall.mode === "count";
const block = counting ? { count: {} } : { block: {} };
const seen = (metricName: string) => ({
  cloudwatchMetricsEnabled: true,
  metricName,
  sampledRequestsEnabled: true,
});

/**
 * Rules of the core set that look into bodies. A prompt is long, and often holds code, markup or paths: for the model's
 * routes these are counted, not blocked; elsewhere the rule after them blocks by the label that counting leaves.
 */
const BODY_RULES = [
  ["SizeRestrictions_BODY", "SizeRestrictions_Body"],
  ["CrossSiteScripting_BODY", "CrossSiteScripting_Body"],
  ["GenericLFI_BODY", "GenericLFI_Body"],
  ["GenericRFI_BODY", "GenericRFI_Body"],
  ["EC2MetaDataSSRF_BODY", "EC2MetaDataSSRF_Body"],
] as const;
const LABELS = "awswaf:managed:aws:core-rule-set:";

function managed(priority: number, name: string, uncounted: readonly string[] = []) {
  return {
    name,
    priority,
    overrideAction: counting ? { count: {} } : { none: {} },
    statement: {
      managedRuleGroupStatement: {
        vendorName: "AWS",
        name,
        ...(uncounted.length > 0 && {
          ruleActionOverrides: uncounted.map((rule) => ({ name: rule, actionToUse: { count: {} } })),
        }),
      },
    },
    visibilityConfig: seen(name),
  };
}

const trusted =
  firewall.trustedIps.length > 0 &&
  new aws.wafv2.IpSet("TrustedIps", {
    name: named("llmlite-trusted-ips"),
    scope: "REGIONAL",
    ipAddressVersion: "IPV4",
    addresses: firewall.trustedIps,
  });

export const webAcl = new aws.wafv2.WebAcl("WebAcl", {
  name: named("llmlite-waf-acl"),
  scope: "REGIONAL",
  defaultAction: { allow: {} },
  visibilityConfig: seen(named("llmlite-waf-acl")),
  rules: [
    ...(trusted
      ? [
          {
            name: "TrustedIps",
            priority: 0,
            action: { allow: {} },
            statement: { ipSetReferenceStatement: { arn: trusted.arn } },
            visibilityConfig: seen("TrustedIps"),
          },
        ]
      : []),
    managed(1, "AWSManagedRulesAmazonIpReputationList"),
    managed(
      2,
      "AWSManagedRulesCommonRuleSet",
      BODY_RULES.map(([rule]) => rule),
    ),
    managed(3, "AWSManagedRulesKnownBadInputsRuleSet"),
    {
      name: "RateLimit-PerIP",
      priority: 4,
      action: block,
      statement: {
        rateBasedStatement: { limit: firewall.rateLimit, evaluationWindowSec: 300, aggregateKeyType: "IP" },
      },
      visibilityConfig: seen("RateLimit-PerIP"),
    },
    ...(firewall.allowedCountries
      ? [
          {
            name: "GeoBlock",
            priority: 5,
            action: block,
            statement: {
              notStatement: {
                statements: [{ geoMatchStatement: { countryCodes: firewall.allowedCountries } }],
              },
            },
            visibilityConfig: seen("GeoBlock"),
          },
        ]
      : []),
    {
      name: "BodyRulesOutsideModelRoutes",
      priority: 6,
      action: block,
      statement: {
        andStatement: {
          statements: [
            {
              orStatement: {
                statements: BODY_RULES.map(([, label]) => ({
                  labelMatchStatement: { scope: "LABEL", key: LABELS + label },
                })),
              },
            },
            {
              notStatement: {
                statements: [
                  {
                    byteMatchStatement: {
                      searchString: "/v1/",
                      positionalConstraint: "STARTS_WITH",
                      fieldToMatch: { uriPath: {} },
                      textTransformations: [{ priority: 0, type: "NORMALIZE_PATH" }],
                    },
                  },
                ],
              },
            },
          ],
        },
      },
      visibilityConfig: seen("BodyRulesOutsideModelRoutes"),
    },
  ],
});
