/** Request ids of our own: UUIDv7 (RFC 9562), whose first 48 bits are the time of receipt in epoch milliseconds. */
import * as crypto from "node:crypto";

// In Node since 24.16; @types/node 24.19 does not know it yet.
const { randomUUIDv7 } = crypto as unknown as { randomUUIDv7(): string };

/** A new id and the moment that it carries, so that a row can be found by its id alone. `receivedAt` is epoch ms. */
export function newRequestId(): { id: string; receivedAt: number } {
  const id = randomUUIDv7();
  return { id, receivedAt: Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) };
}

const UUID_V7 = /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Epoch milliseconds inside a UUIDv7; null for any other id. */
export function requestIdTime(id: string): number | null {
  const match = UUID_V7.exec(id);
  return match ? Number.parseInt(`${match[1]}${match[2]}`, 16) : null;
}
