/** The steps before LiteLLM is asked. Each adds to the call or throws what ends the request. */
import type { ApiError } from "@central-llm/core/api-error";
import { ENTITIES } from "@central-llm/core/pii-entity";
import type { FilterOutcome } from "@central-llm/core/pii-filter";
import { FILTER_UNAVAILABLE } from "@central-llm/core/pii-refusal";
import { hashKey, keyOf, sameSecret } from "@central-llm/core/virtual-key";
import { keptJson, NO_BODY } from "../gateway/audited-call.ts";
import { invalid } from "../gateway/refusal.ts";
import { RefusedRequest } from "../gateway/refused-request.ts";
import { classifyBody, OVERLOADED } from "../request-body.ts";
import { BAD_PATH, climbs, TOO_MANY_HEADERS, tooManyHeaders } from "../request-target.ts";
import { drained } from "../upstream-failure.ts";
import type { KeyOwner } from "./key-owners.ts";
import type { LitellmCall } from "./litellm-call.ts";
import { withoutSecrets } from "./without-secrets.ts";

const AGAIN = { "retry-after": "1" };

export function refuseAtTheDoor({ gateway, request, url }: LitellmCall): void {
  if (gateway.draining) throw new RefusedRequest(drained(), "rate_limited", "draining", AGAIN);
  if (tooManyHeaders(request.rawHeaders))
    throw new RefusedRequest(TOO_MANY_HEADERS, "client_error", "headers");
  if (climbs(url.split("?", 1)[0] ?? "")) throw new RefusedRequest(BAD_PATH, "client_error", "path");
  if (gateway.full) throw new RefusedRequest(OVERLOADED, "rate_limited", "overloaded", AGAIN);
}

/** Of a key whose owner cannot be read: nothing may pass that some key's policy could hold back. */
const STRICTEST_MASK = Object.fromEntries(ENTITIES.map((entity) => [entity, "mask"]));
const NOBODYS = { rpmLimit: null, tpmLimit: null, maxBudget: null, metadata: null, teamMetadata: null };

/** Says whose key it is, as far as that is known. Whether it is valid is LiteLLM's to say. */
export async function identify(call: LitellmCall): Promise<void> {
  const { gateway, request, door } = call;
  const key = keyOf(request.headers);
  call.key = key;
  let limits: Pick<KeyOwner, keyof typeof NOBODYS> = NOBODYS;
  if (key !== null && key !== "" && sameSecret(key, gateway.config.LITELLM_MASTER_KEY)) {
    call.caller = { kind: "master" };
  } else if (key !== null) {
    const token = key === "" ? null : hashKey(key);
    call.caller = { kind: "stranger", token };
    const owner = token === null ? "stranger" : await gateway.owners.find(token);
    if (owner === "unread") {
      gateway.own.unattributed.inc();
      limits = { ...NOBODYS, metadata: { pii: STRICTEST_MASK } };
    } else if (owner !== "stranger") {
      limits = owner.known;
      call.caller = { kind: "key", known: owner.known };
    }
  }
  if (door.kind === "model") call.policy = policyFor(call, limits);
}

function policyFor({ gateway }: LitellmCall, limits: Pick<KeyOwner, keyof typeof NOBODYS>) {
  try {
    return gateway.guard.policyFor(limits);
  } catch (error) {
    gateway.log.error({ err: error }, "A key's or team's metadata.pii is no policy");
    throw new RefusedRequest(FILTER_UNAVAILABLE, "blocked", "filter_unavailable");
  }
}

export async function read({ request, response, body }: LitellmCall, continues: boolean): Promise<void> {
  const refused = (error: ApiError) =>
    new RefusedRequest(error, error === OVERLOADED ? "rate_limited" : "client_error", "body");
  const tooLarge = body.refusal(request);
  if (tooLarge) throw refused(tooLarge);
  if (continues) response.writeContinue();
  const problem = await new Promise<ApiError | null>((done) => body.read(request, done));
  if (problem) throw refused(problem);
}

/** @returns the bytes for LiteLLM: the client's own, unless something was masked */
export async function filter(call: LitellmCall): Promise<Buffer> {
  const { gateway, body, policy, request } = call;
  const { bytes } = body;
  // Asking for a stored response or ending it needs no body.
  if (bytes.length === 0) {
    call.kept = { bytes: null, kind: "none" };
    return bytes;
  }
  const { json, error } = classifyBody(request, bytes);
  if (error) throw new RefusedRequest(error, "client_error", "body");
  // LiteLLM reads forms and other labels too; the filter reads JSON.
  if (json === null) throw invalid(null, "The body must be a JSON object, as content-type application/json.");
  call.json = json;
  if (policy === null) throw new Error("no policy");
  const checked = await gateway.guard.request(json, policy.pii);
  if (checked.outcome === "failed") {
    gateway.log.error({ cause: checked.cause }, "The filter failed on a request");
    throw new RefusedRequest(checked.error, "blocked", "filter_unavailable");
  }
  call.findings = checked.findings;
  call.kept = kept(call, checked);
  if (checked.outcome === "blocked") throw new RefusedRequest(checked.error, "blocked", "pii");
  return checked.changed ? Buffer.from(JSON.stringify(checked.body)) : bytes;
}

/** LiteLLM takes credentials of providers in the body of a call, where its settings allow that. */
const CREDENTIALS =
  /^(api_key|user_config|vertex_credentials|azure_ad_token|aws_(secret_access_key|session_token))$/;

function kept({ gateway, body, json }: LitellmCall, checked: Exclude<FilterOutcome, { outcome: "failed" }>) {
  const limit = gateway.config.AUDIT_MAX_BODY_BYTES;
  const credentials = Object.keys(json ?? {}).filter((name) => CREDENTIALS.test(name));
  if (credentials.length > 0) {
    const hidden = Object.fromEntries(credentials.map((name) => [name, "[redacted]"]));
    return keptJson({ ...(checked.auditBody as object), ...hidden }, limit, null);
  }
  if (checked.findings.length > 0) return keptJson(checked.auditBody, limit, null);
  const { bytes, wholeSha256 } = body.kept(limit);
  const held = wholeSha256 === undefined ? {} : { held: { sha256: wholeSha256, truncated: true } };
  return { bytes, kind: "json" as const, ...held };
}

/** Of an administrator's call the audit keeps what was asked, without the secrets in it. */
export function keepAdminCall(call: LitellmCall): void {
  const { gateway, body, request, url } = call;
  const query = Object.fromEntries(new URLSearchParams(url.split("?").slice(1).join("?")));
  const { json } = classifyBody(request, body.bytes);
  call.json = json;
  const asked = {
    ...(Object.keys(query).length > 0 ? { query: withoutSecrets(query) } : {}),
    ...(json === null ? {} : { body: withoutSecrets(json) }),
  };
  const unread = json === null && body.length > 0;
  if (Object.keys(asked).length > 0) call.kept = keptJson(asked, gateway.config.AUDIT_MAX_BODY_BYTES, null);
  else call.kept = unread ? NO_BODY : { bytes: null, kind: "none" };
}
