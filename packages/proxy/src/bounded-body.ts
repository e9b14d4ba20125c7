/** An upstream's answer in one piece, as long as it is small enough to be held. */
import { GatheredBytes } from "./gathered-bytes.ts";
import type { BufferBudget } from "./request-body.ts";

/**
 * @param expected its length as far as it is known, else 0 @param limit in bytes
 * @param budget is charged while the body is gathered: it has cost a call already and is not refused, so its memory counts
 * against the requests to come
 * @param tooLarge what is thrown beyond the limit
 */
export async function boundedBody(
  pieces: AsyncIterable<Buffer>,
  expected: number,
  limit: number,
  budget: BufferBudget,
  tooLarge: () => Error,
): Promise<Buffer> {
  const all = new GatheredBytes();
  let taken = 0;
  try {
    for await (const piece of pieces) {
      if (all.length + piece.length > limit) throw tooLarge();
      all.add(piece, expected);
      budget.used += all.held - taken;
      taken = all.held;
    }
    return all.bytes;
  } finally {
    budget.give(taken);
  }
}
