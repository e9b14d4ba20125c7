/** Bedrock takes `[a-zA-Z0-9_-]{1,64}` as a tool call's id; callers' frameworks send all sorts. */
import { createHash } from "node:crypto";

const TAKEN = /^[a-zA-Z0-9_-]{1,64}$/;

/** The same id for a call and its result, whatever the caller named it. */
export function toolUseId(id: string): string {
  if (TAKEN.test(id)) return id;
  return `call_${createHash("sha256").update(id).digest("hex").slice(0, 32)}`;
}
