/** Names of audit objects: `<prefix>/YYYY/MM/DD/<requestId>.json`, the UTC day being that of receipt. */

const SAFE_ID = /^[A-Za-z0-9._-]{1,128}$/;

/** Whether a client's `x-request-id` may serve as an object's name. `.` and `..` would walk the path of many tools. */
export function isSafeRequestId(id: string): boolean {
  return SAFE_ID.test(id) && id !== "." && id !== "..";
}

/** @param receivedAt ISO 8601 in UTC, or epoch milliseconds */
export function objectKey(prefix: string, receivedAt: string | number, requestId: string): string {
  const iso = typeof receivedAt === "number" ? new Date(receivedAt).toISOString() : receivedAt;
  return `${prefix}/${iso.slice(0, 4)}/${iso.slice(5, 7)}/${iso.slice(8, 10)}/${requestId}.json`;
}

const KEY = /^(.*)\/(\d{4})\/(\d{2})\/(\d{2})\/([^/]+)\.json$/;

/** The parts of an audit object's key; null when the key is not one of ours. `day` is `YYYY-MM-DD`. */
export function parseObjectKey(key: string): { prefix: string; day: string; requestId: string } | null {
  const match = KEY.exec(key);
  if (!match) return null;
  const [, prefix = "", year, month, day, requestId = ""] = match;
  return { prefix, day: `${year}-${month}-${day}`, requestId };
}
