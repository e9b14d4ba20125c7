/** What a guardrail found, in our terms. */
import type { GuardrailAssessment, GuardrailPiiEntityType } from "@aws-sdk/client-bedrock-runtime";
import type { Action, Entity } from "@central-llm/core/pii-entity";

/** Bedrock's kinds by ours; what is not here is OTHER. */
const ENTITY_OF: Partial<Record<GuardrailPiiEntityType, Entity>> = {
  ADDRESS: "ADDRESS",
  AWS_ACCESS_KEY: "API_KEY",
  AWS_SECRET_KEY: "API_KEY",
  CREDIT_DEBIT_CARD_NUMBER: "CREDIT_CARD",
  EMAIL: "EMAIL",
  INTERNATIONAL_BANK_ACCOUNT_NUMBER: "IBAN",
  IP_ADDRESS: "IP_ADDRESS",
  NAME: "PERSON_NAME",
  PASSWORD: "API_KEY",
  PHONE: "PHONE",
  UK_NATIONAL_INSURANCE_NUMBER: "UK_NINO",
  US_PASSPORT_NUMBER: "PASSPORT",
  US_SOCIAL_SECURITY_NUMBER: "US_SSN",
};

export interface AssessedValue {
  entity: Entity;
  value: string;
  /** What the guardrail's own configuration asks for. */
  action: Action;
}

/** Personal data, and matches of the guardrail's own regular expressions (OTHER). */
export function assessedValues(assessments: readonly GuardrailAssessment[] = []): AssessedValue[] {
  return assessments.flatMap(({ sensitiveInformationPolicy: found }) => [
    ...(found?.piiEntities ?? []).map(({ type, match, action }) =>
      assessed((type && ENTITY_OF[type]) ?? "OTHER", match, action),
    ),
    ...(found?.regexes ?? []).map(({ match, action }) => assessed("OTHER", match, action)),
  ]);
}

function assessed(entity: Entity, match: string | undefined, action: string | undefined): AssessedValue {
  if (match === undefined || match === "") throw new TypeError("a finding without its value");
  if (action !== "BLOCKED" && action !== "ANONYMIZED" && action !== "NONE") {
    throw new TypeError("a finding with an unknown action");
  }
  return {
    entity,
    value: match,
    action: action === "BLOCKED" ? "block" : action === "ANONYMIZED" ? "mask" : "flag",
  };
}

/** Whether something else than personal data made the guardrail step in: topics, harmful content, words, grounding. */
export function hasOtherIntervention(assessments: readonly GuardrailAssessment[] = []): boolean {
  return assessments.some((assessment) => {
    const { sensitiveInformationPolicy: _personal, invocationMetrics: _metrics, ...others } = assessment;
    return Object.values(others).some(holdsIntervention);
  });
}

function holdsIntervention(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if ("action" in value && value.action === "BLOCKED") return true;
  return Object.values(value).some(holdsIntervention);
}
