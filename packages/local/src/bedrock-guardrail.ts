/** ApplyGuardrail of the stand-in: finds the plainest personal data, so that the caller's handling of it can be shown. */
import { BedrockFault } from "./bedrock-fault.ts";

interface Entity {
  type: string;
  pattern: RegExp;
  action: "BLOCKED" | "ANONYMIZED";
}

/** AWS's names: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_GuardrailPiiEntityConfig.html */
const ENTITIES: Entity[] = [
  { type: "EMAIL", pattern: /[\w.+-]+@[\w-]+\.[\w.-]*\w/g, action: "ANONYMIZED" },
  { type: "PHONE", pattern: /\+\d{1,3}[ \d-]{7,14}\d/g, action: "ANONYMIZED" },
  {
    type: "CREDIT_DEBIT_CARD_NUMBER",
    pattern: /\b\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}\b/g,
    action: "BLOCKED",
  },
  { type: "US_SOCIAL_SECURITY_NUMBER", pattern: /\b\d{3}-\d{2}-\d{4}\b/g, action: "BLOCKED" },
];

const BLOCKED_MESSAGE = "Sorry, the model cannot answer this question.";

interface ApplyRequest {
  source?: string;
  content?: { text?: { text?: string } }[];
  outputScope?: string;
}

export function applyGuardrail(guardrail: string, { source, content }: ApplyRequest): object {
  if (guardrail === "unknown")
    throw new BedrockFault(
      "ResourceNotFoundException",
      "The guardrail identifier or version does not exist.",
    );
  if ((source !== "INPUT" && source !== "OUTPUT") || !Array.isArray(content) || content.length === 0)
    throw new BedrockFault("ValidationException", "source and content are required.");
  const piiEntities: object[] = [];
  let blocked = false;
  const texts = content.map(({ text }) => {
    let masked = text?.text ?? "";
    for (const { type, pattern, action } of ENTITIES)
      masked = masked.replace(pattern, (match) => {
        piiEntities.push({ match, type, action, detected: true });
        blocked ||= action === "BLOCKED";
        return `{${type}}`;
      });
    return masked;
  });
  const units = Math.ceil(content.reduce((sum, { text }) => sum + (text?.text?.length ?? 0), 0) / 1_000);
  const intervened = piiEntities.length > 0;
  const outputs = !intervened ? [] : blocked ? [{ text: BLOCKED_MESSAGE }] : texts.map((text) => ({ text }));
  return {
    action: intervened ? "GUARDRAIL_INTERVENED" : "NONE",
    outputs,
    assessments: intervened ? [{ sensitiveInformationPolicy: { piiEntities, regexes: [] } }] : [],
    usage: {
      topicPolicyUnits: 0,
      contentPolicyUnits: 0,
      wordPolicyUnits: 0,
      sensitiveInformationPolicyUnits: units,
      sensitiveInformationPolicyFreeUnits: 0,
      contextualGroundingPolicyUnits: 0,
    },
  };
}
