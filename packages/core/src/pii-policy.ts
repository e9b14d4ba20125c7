/** What the filter does with each kind of data. One policy is in force for the platform; keys and teams can tighten it. */
import { hash } from "node:crypto";
import { z } from "zod";
import { ACTIONS, type Action, ENTITIES, type Entity, stricter } from "./pii-entity.ts";

const PolicyAction = z.enum(ACTIONS);

/** A full table: an action for every entity, so that no entity is decided by omission. */
export const PiiPolicy = z.strictObject(
  Object.fromEntries(ENTITIES.map((entity) => [entity, PolicyAction])) as Record<Entity, typeof PolicyAction>,
);
export type PiiPolicy = Readonly<Record<Entity, Action>>;

/** What a key or a team carries: only what it wants stricter. An unknown entity or action is an error. */
export const PiiPolicyOverride = z.partialRecord(z.enum(ENTITIES), PolicyAction);
export type PiiPolicyOverride = z.infer<typeof PiiPolicyOverride>;

/** Issue 5: card, IBAN, SSN, NI number, private keys and API keys block; the rest is flagged. */
export const DEFAULT_POLICY: PiiPolicy = Object.freeze({
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

/** The platform's policy with what team and key add. A milder action in an override changes nothing. */
export function tighten(base: PiiPolicy, ...overrides: (PiiPolicyOverride | null | undefined)[]): PiiPolicy {
  const policy: Record<Entity, Action> = { ...base };
  for (const override of overrides) {
    for (const [entity, action] of Object.entries(PiiPolicyOverride.parse(override ?? {}))) {
      policy[entity as Entity] = stricter(policy[entity as Entity], action as Action);
    }
  }
  return policy;
}

/** For the audit record: sha256 (hex) of the policy as JSON, its entities sorted by name. */
export function policyHash(policy: PiiPolicy): string {
  return hash("sha256", JSON.stringify(policy, ENTITIES.toSorted()), "hex");
}
