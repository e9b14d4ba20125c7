/**
 * Reads what lies in the audit bucket. Today's writers store `AuditRecord` version 1; older ones (seed 001 §3.1) and
 * newer ones are read as far as their fields can be understood. A missing or unknown field never drops a record.
 */
import { parseObjectKey } from "./audit-key.ts";
import { AuditRecord } from "./audit-record.ts";
import { AuditObjectError } from "./dead-letter.ts";
import * as LegacyRecord from "./legacy-record.ts";

/** An audit record as readers use it: version 1's shape, where fields that a writer did not know are filled in. */
export interface StoredRecord extends Omit<AuditRecord, "schemaVersion" | "profile" | "chain"> {
  /** 0 when the object does not say. */
  schemaVersion: number;
  profile: AuditRecord["profile"] | null;
  /** 0 when the object does not say, else the status that the client got. */
  statusCode: number;
  chain: AuditRecord["chain"] | null;
  /** Whether the object is not a valid version 1 record. */
  legacy: boolean;
}

export interface StoredPlace {
  key: string;
  /** When S3 stored the object: the time of receipt of a record that carries none. */
  lastModified?: Date | undefined;
}

/**
 * @param body the object's text
 * @throws {AuditObjectError} `malformed_json` or `schema`; its detail quotes nothing of the object
 */
export function parse(body: string, place: StoredPlace): StoredRecord {
  const json = parseJson(body);
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new AuditObjectError("schema", `an audit record is a JSON object, this is ${typeName(json)}`);
  }
  const name = parseObjectKey(place.key);
  const strict = AuditRecord.safeParse(json);
  if (strict.success) {
    const record = { ...strict.data, legacy: false };
    if (name === null || name.requestId === record.requestId) return record;
    // The name won the race for a client's id, or lost it: whichever, rows and links go by the name.
    return {
      ...record,
      requestId: name.requestId,
      clientRequestId: record.clientRequestId ?? record.requestId,
    };
  }
  return LegacyRecord.read(json as Record<string, unknown>, {
    requestId: name?.requestId ?? null,
    receivedAt: place.lastModified ?? (name ? new Date(`${name.day}T00:00:00.000Z`) : null),
  });
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    // V8's message quotes the text around the fault, which is audit content.
    throw new AuditObjectError("malformed_json", `not JSON (${body.length} characters)`);
  }
}

const typeName = (value: unknown) =>
  value === null ? "null" : Array.isArray(value) ? "an array" : `a ${typeof value}`;
