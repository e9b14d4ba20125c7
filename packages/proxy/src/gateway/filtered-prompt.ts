/** What the filter says of a prompt by a policy, and what the audit keeps of it then. */
import { hash } from "node:crypto";
import type { FilterOutcome } from "@central-llm/core/pii-filter";
import type { RequestBody } from "../request-body.ts";
import { type KeptBody, keptJson, NO_BODY } from "./audited-call.ts";
import type { Gateway } from "./gateway.ts";
import type { Json } from "./model-route.ts";
import type { PolicyInForce } from "./pii-guard.ts";

export interface Looked {
  policy: PolicyInForce;
  checked: FilterOutcome;
  kept: KeptBody;
}

export function look(
  gateway: Gateway,
  body: RequestBody,
  json: Json,
  policy: PolicyInForce,
): Looked | Promise<Looked> {
  const limit = gateway.config.AUDIT_MAX_BODY_BYTES;
  const looked = (checked: FilterOutcome) => ({ policy, checked, kept: kept(checked, body, json, limit) });
  const checked = gateway.guard.request(json, policy.pii);
  return checked instanceof Promise ? checked.then(looked) : looked(checked);
}

function kept(checked: FilterOutcome, body: RequestBody, json: Json, limit: number): KeptBody {
  if (checked.outcome === "failed") return NO_BODY;
  return checked.findings.length > 0 || checked.auditBody === null
    ? keptJson(checked.auditBody, limit, null)
    : keptWhole(body, json, limit);
}

/**
 * The body as it came, if the filter has seen all of it: of a member that is there twice it has seen only the last. Such a body
 * is longer than what was read of it, and is kept as it was read.
 */
function keptWhole(body: RequestBody, json: Json, limit: number): KeptBody {
  const read = JSON.stringify(json);
  if (Buffer.byteLength(read) !== body.length)
    return keptJson(json, limit, hash("sha256", body.bytes, "hex"));
  const { wholeSha256, bytes } = body.kept(limit);
  if (wholeSha256 === undefined) return { bytes, kind: "json" };
  return { bytes, kind: "json", held: { sha256: wholeSha256, truncated: true } };
}
