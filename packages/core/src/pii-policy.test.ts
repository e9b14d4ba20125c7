import { expect, test } from "vitest";
import { ENTITIES, strictestOf, sumFindings } from "./pii-entity.ts";
import { DEFAULT_POLICY, PiiPolicy, policyHash, tighten } from "./pii-policy.ts";

test("the default policy, entity by entity", () => {
  expect(DEFAULT_POLICY).toEqual({
    EMAIL: "flag",
    PHONE: "flag",
    CREDIT_CARD: "block",
    IBAN: "block",
    US_SSN: "block",
    UK_NINO: "block",
    IP_ADDRESS: "flag",
    PASSPORT: "flag",
    API_KEY: "block",
    PRIVATE_KEY: "block",
    PERSON_NAME: "flag",
    ADDRESS: "flag",
    OTHER: "flag",
  });
  expect(Object.keys(DEFAULT_POLICY)).toEqual([...ENTITIES]);
  expect(PiiPolicy.parse(DEFAULT_POLICY)).toEqual(DEFAULT_POLICY);
});

test("a policy names every entity, knows its actions, and nothing else", () => {
  const { EMAIL: _, ...partial } = DEFAULT_POLICY;
  expect(() => PiiPolicy.parse(partial)).toThrow();
  expect(() => PiiPolicy.parse({ ...DEFAULT_POLICY, EMAIL: "allow" })).toThrow();
  expect(() => PiiPolicy.parse({ ...DEFAULT_POLICY, EMIAL: "block" })).toThrow();
});

test("team and key can only be stricter, in any order", () => {
  const team = { EMAIL: "mask", CREDIT_CARD: "flag" } as const;
  const key = { EMAIL: "block", IBAN: "mask", PHONE: "mask" } as const;
  const policy = tighten(DEFAULT_POLICY, team, key);
  expect(policy).toEqual({ ...DEFAULT_POLICY, EMAIL: "block", PHONE: "mask" });
  expect(tighten(DEFAULT_POLICY, key, team)).toEqual(policy);
  expect(tighten(DEFAULT_POLICY, null, undefined, {})).toEqual(DEFAULT_POLICY);
  expect(() => tighten(DEFAULT_POLICY, { EMIAL: "block" } as never)).toThrow();
  expect(() => tighten(DEFAULT_POLICY, { EMAIL: "off" } as never)).toThrow();
});

test("the hash depends on the actions, not on the order of the members", () => {
  const turned = Object.fromEntries(Object.entries(DEFAULT_POLICY).reverse()) as PiiPolicy;
  expect(policyHash(DEFAULT_POLICY)).toMatch(/^[0-9a-f]{64}$/);
  expect(policyHash(turned)).toBe(policyHash(DEFAULT_POLICY));
  expect(policyHash(tighten(DEFAULT_POLICY, { EMAIL: "mask" }))).not.toBe(policyHash(DEFAULT_POLICY));
});

test("findings add up by entity, the strictest action wins", () => {
  const findings = sumFindings([
    { entity: "IBAN", count: 1, action: "block" },
    { entity: "EMAIL", count: 2, action: "flag" },
    { entity: "EMAIL", count: 1, action: "mask" },
  ]);
  expect(findings).toEqual([
    { entity: "EMAIL", count: 3, action: "mask" },
    { entity: "IBAN", count: 1, action: "block" },
  ]);
  expect(strictestOf(findings)).toBe("block");
  expect(strictestOf([])).toBe("pass");
});
