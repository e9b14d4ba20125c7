/**
 * Engine "bedrock-guardrail": Amazon Bedrock's ApplyGuardrail finds the values, our policy says what becomes of them.
 * What the guardrail itself blocks or anonymises can only make the policy stricter. Any failure is `failed`, never a pass.
 * API: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ApplyGuardrail.html
 */
import {
  ApplyGuardrailCommand,
  type ApplyGuardrailCommandOutput,
  type BedrockRuntimeClient,
} from "@aws-sdk/client-bedrock-runtime";
import { rewriteTexts } from "@central-llm/core/pii-document";
import type { Entity, Match } from "@central-llm/core/pii-entity";
import { type FilterOutcome, filterAnswer, filterRequest } from "@central-llm/core/pii-filter";
import { type PiiPolicy, type PiiPolicyOverride, tighten } from "@central-llm/core/pii-policy";
import { causeOf, FILTER_UNAVAILABLE } from "@central-llm/core/pii-refusal";
import { z } from "zod";
import { assessedValues, hasOtherIntervention } from "./guardrail-assessment.ts";

export const GuardrailConfig = z.object({
  /** Id or ARN of the guardrail. */
  guardrailId: z.string().min(1),
  /** A number, or `DRAFT`. */
  guardrailVersion: z.string().regex(/^(?:[1-9]\d{0,7}|DRAFT)$/, "a version number or DRAFT"),
  /** For all calls that one body needs. */
  timeoutMs: z.int().positive().default(5_000),
});
export type GuardrailConfig = z.infer<typeof GuardrailConfig>;

const BLOCKED_BY_GUARDRAIL = {
  status: 400,
  type: "invalid_request_error",
  code: "guardrail_blocked",
  message: "The platform's guardrail refused the content for a reason other than personal data.",
} as const;

/**
 * @param side `request` is checked as the guardrail's INPUT, `answer` as its OUTPUT
 * @returns the same outcomes as the local engine
 */
export async function filterWithGuardrail(
  client: BedrockRuntimeClient,
  config: GuardrailConfig,
  body: unknown,
  policy: PiiPolicy,
  side: "request" | "answer",
): Promise<FilterOutcome> {
  try {
    const texts = textsOf(body);
    const assessed = await assess(client, config, texts, side);
    if (
      assessed.some((one) => one.action === "GUARDRAIL_INTERVENED" && hasOtherIntervention(one.assessments))
    ) {
      return { outcome: "blocked", auditBody: null, findings: [], error: BLOCKED_BY_GUARDRAIL };
    }
    const values = assessed.flatMap((one) => assessedValues(one.assessments));
    const overrides = values.map(({ entity, action }): PiiPolicyOverride => ({ [entity]: action }));
    const inForce = tighten(policy, ...overrides);
    for (const { value, entity } of values) {
      if (inForce[entity] !== "flag" && !texts.some((text) => text.includes(value))) {
        throw new UnlocatedValue();
      }
    }
    const filter = side === "request" ? filterRequest : filterAnswer;
    return filter(body, inForce, (text) => locate(text, values));
  } catch (error) {
    return { outcome: "failed", error: FILTER_UNAVAILABLE, cause: causeOf(error) };
  }
}

/** The guardrail names a value that is in none of the texts, so that it could not be masked. */
class UnlocatedValue extends Error {
  override name = "UnlocatedValue";
}

function textsOf(body: unknown): string[] {
  const texts = new Set<string>();
  rewriteTexts(body, (text) => {
    if (text.trim() !== "") texts.add(text);
    return text;
  });
  return [...texts];
}

/** Characters in one call: AWS takes 25 text units of 1,000 by default. Windows of a long text overlap by a value's length. */
const CALL_CHARACTERS = 25_000;
const OVERLAP = 1_000;

async function assess(
  client: BedrockRuntimeClient,
  config: GuardrailConfig,
  texts: readonly string[],
  side: "request" | "answer",
): Promise<ApplyGuardrailCommandOutput[]> {
  const abortSignal = AbortSignal.timeout(config.timeoutMs);
  const answers: ApplyGuardrailCommandOutput[] = [];
  // One after the other: the quota is counted in text units per second, and most bodies need one call.
  for (const pieces of callsFor(texts)) {
    const command = new ApplyGuardrailCommand({
      guardrailIdentifier: config.guardrailId,
      guardrailVersion: config.guardrailVersion,
      source: side === "request" ? "INPUT" : "OUTPUT",
      content: pieces.map((text) => ({ text: { text } })),
      // Also what the guardrail only detects: flags are counted.
      outputScope: "FULL",
    });
    const answer = await client.send(command, { abortSignal });
    // An answer without a verdict is no answer.
    if (answer.action === undefined || answer.assessments === undefined) throw new TypeError("no verdict");
    answers.push(answer);
  }
  return answers;
}

export function callsFor(texts: readonly string[]): string[][] {
  const calls: string[][] = [];
  let characters = CALL_CHARACTERS;
  for (const text of texts) {
    for (let from = 0; from === 0 || from + OVERLAP < text.length; from += CALL_CHARACTERS - OVERLAP) {
      const piece = text.slice(from, from + CALL_CHARACTERS);
      if (characters + piece.length > CALL_CHARACTERS) {
        calls.push([]);
        characters = 0;
      }
      calls.at(-1)?.push(piece);
      characters += piece.length;
    }
  }
  return calls;
}

/** Every occurrence of every value, from left to right; of overlapping ones the first and longest. */
function locate(text: string, values: readonly { value: string; entity: Entity }[]): Match[] {
  const all: Match[] = [];
  for (const { value, entity } of values) {
    for (let start = text.indexOf(value); start >= 0; start = text.indexOf(value, start + value.length)) {
      all.push({ entity, start, end: start + value.length });
    }
  }
  all.sort((a, b) => a.start - b.start || b.end - a.end);
  let end = 0;
  return all.filter((match) => {
    const isFree = match.start >= end;
    if (isFree) end = match.end;
    return isFree;
  });
}
