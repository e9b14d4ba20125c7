/** An audit object without its content, as a person may see it. */
import type { StoredRecord } from "@central-llm/core/stored-record";
import type { Metadata } from "./contract-record.ts";
import { may, type Person } from "./permission.ts";

const side = ({ bytes, sha256, encoding, truncated }: StoredRecord["request"]) => ({
  bytes,
  sha256: sha256 ?? null,
  encoding: encoding ?? null,
  truncated: truncated ?? false,
});

/** @returns `hidden`: the fields that the person's role keeps from them */
export function shownMetadata(
  record: StoredRecord,
  person: Person,
): { metadata: Metadata; hidden: string[] } {
  const open = may(person, "client.read");
  const { identity, http, error, response, model, usage } = record;
  return {
    metadata: {
      schemaVersion: record.schemaVersion,
      legacy: record.legacy,
      clientRequestId: record.clientRequestId,
      completedAt: record.completedAt,
      queueTimeMs: record.queueTimeMs ?? null,
      error: error && { type: error.type, message: open ? error.message : null },
      identity,
      http: { ...http, clientIp: open ? http.clientIp : null },
      model,
      usage,
      cost: record.cost,
      request: side(record.request),
      response: { ...side(response), chunks: response.chunks, complete: response.complete },
      policy: record.policy,
      chain: record.chain,
    },
    hidden: open ? [] : ["metadata.http.clientIp", ...(error ? ["metadata.error.message"] : [])],
  };
}
