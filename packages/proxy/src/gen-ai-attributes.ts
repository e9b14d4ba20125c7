/**
 * An audit record in the words of OpenTelemetry's semantic conventions for generative AI
 * (github.com/open-telemetry/semantic-conventions-genai, "Spans" and "Metrics"; status: development).
 */
import type { AuditRecord } from "@central-llm/core/audit-record";
import type { Attributes } from "@opentelemetry/api";
import { isObject } from "./stream-assembly.ts";

/** The operation by the end of the path; null for what is no call of a model. */
export function operationOf(path: string): string | null {
  if (/\/chat\/completions$|\/responses$|\/messages$/.test(path)) return "chat";
  if (path.endsWith("/completions")) return "text_completion";
  return path.endsWith("/embeddings") ? "embeddings" : null;
}

/** The conventions' own names where they have one. */
const PROVIDERS: Record<string, string> = { bedrock: "aws.bedrock" };

/** What metrics are told apart by: few values each. */
export function dimensions(record: AuditRecord, operation: string): Attributes {
  const { model, statusCode, error, outcome } = record;
  const failed = statusCode >= 400 || outcome !== "completed";
  return defined({
    "gen_ai.operation.name": operation,
    "gen_ai.provider.name": PROVIDERS[model.provider] ?? model.provider,
    "gen_ai.request.model": model.requested,
    "gen_ai.response.model": model.served,
    "error.type": failed ? (error?.type ?? String(statusCode)) : null,
  });
}

const number = (value: unknown) => (typeof value === "number" ? value : null);

export function spanAttributes(record: AuditRecord): Attributes {
  const { usage, request, response } = record;
  const asked = isObject(request.body) ? request.body : {};
  const answered = isObject(response.body) ? response.body : {};
  const reasons = (Array.isArray(answered.choices) ? answered.choices : []).flatMap((choice) =>
    isObject(choice) && typeof choice.finish_reason === "string" ? [choice.finish_reason] : [],
  );
  // Anthropic's word for it.
  if (typeof answered.stop_reason === "string") reasons.push(answered.stop_reason);
  const counted = usage.source !== "none";
  return defined({
    "gen_ai.request.stream": record.http.stream,
    "gen_ai.request.max_tokens": number(asked.max_completion_tokens) ?? number(asked.max_tokens),
    "gen_ai.request.temperature": number(asked.temperature),
    "gen_ai.request.top_p": number(asked.top_p),
    "gen_ai.request.frequency_penalty": number(asked.frequency_penalty),
    "gen_ai.request.presence_penalty": number(asked.presence_penalty),
    "gen_ai.request.seed": number(asked.seed),
    "gen_ai.response.id": typeof answered.id === "string" ? answered.id : null,
    "gen_ai.response.finish_reasons": reasons.length > 0 ? reasons : null,
    "gen_ai.response.time_to_first_chunk":
      record.timeToFirstTokenMs === null ? null : record.timeToFirstTokenMs / 1000,
    "gen_ai.usage.input_tokens": counted ? usage.promptTokens : null,
    "gen_ai.usage.output_tokens": counted ? usage.completionTokens : null,
    "http.request.method": record.http.method,
    "http.response.status_code": record.statusCode,
    "url.path": record.http.path,
    "central_llm.request.id": record.requestId,
    "central_llm.project.id": record.projectId,
    "central_llm.user.id": record.userId,
    "central_llm.request.type": record.requestType,
    "central_llm.outcome": record.outcome,
  });
}

const defined = (values: Record<string, unknown>): Attributes =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null)) as Attributes;
