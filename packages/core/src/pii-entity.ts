/** The kinds of personal and secret data that the filter knows, and what a policy can do with each. */

/** Engine "local" finds all but the last three; those only Bedrock's guardrails can name. */
export const ENTITIES = [
  "EMAIL",
  "PHONE",
  "CREDIT_CARD",
  "IBAN",
  "US_SSN",
  "UK_NINO",
  "IP_ADDRESS",
  "PASSPORT",
  "API_KEY",
  "PRIVATE_KEY",
  "PERSON_NAME",
  "ADDRESS",
  "OTHER",
] as const;
export type Entity = (typeof ENTITIES)[number];

/** From mild to strict: `flag` counts, `mask` replaces the value, `block` refuses the whole request. */
export const ACTIONS = ["flag", "mask", "block"] as const;
export type Action = (typeof ACTIONS)[number];

export function stricter(a: Action, b: Action): Action {
  return ACTIONS.indexOf(a) >= ACTIONS.indexOf(b) ? a : b;
}

/** A value found in a text. Offsets are UTF-16 units of the text as it was given; `end` is exclusive. */
export interface Match {
  entity: Entity;
  start: number;
  end: number;
}

/** What the audit record and the client may learn: which kind, how often, what was done. Never a value. */
export interface Finding {
  entity: Entity;
  count: number;
  action: Action;
}

/** What stands in place of a value. */
export function placeholderOf(entity: Entity): string {
  return `[${entity}]`;
}

/** Adds findings up by entity, in the order of `ENTITIES`; the strictest action of an entity wins. */
export function sumFindings(findings: Iterable<Finding>): Finding[] {
  const sums = new Map<Entity, Finding>();
  for (const { entity, count, action } of findings) {
    const sum = sums.get(entity);
    if (sum === undefined) sums.set(entity, { entity, count, action });
    else {
      sum.count += count;
      sum.action = stricter(sum.action, action);
    }
  }
  return ENTITIES.flatMap((entity) => sums.get(entity) ?? []);
}

/** The strictest action among findings, or `pass` when there are none. */
export function strictestOf(findings: readonly Finding[]): Action | "pass" {
  return findings.reduce<Action | "pass">(
    (worst, { action }) => (worst === "pass" ? action : stricter(worst, action)),
    "pass",
  );
}
