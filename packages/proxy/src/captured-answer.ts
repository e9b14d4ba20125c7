/** What the audit keeps of one answer: its bytes up to a limit, and size, hash and times of all that the client was sent. */
import { createHash, type Hash } from "node:crypto";
import { GatheredBytes } from "./gathered-bytes.ts";
import type { BufferBudget } from "./request-body.ts";
import { UsageFilter } from "./stream-usage.ts";

const NOTHING: readonly Buffer[] = [];

export class CapturedAnswer {
  readonly #limit: number;
  readonly #budget: BufferBudget;
  readonly #gathered = new GatheredBytes();
  #taken = 0;
  /** Of what was sent; made only when the answer outgrows the limit. */
  #hash: Hash | null = null;
  /** Takes the usage chunk out of the stream on its way to the client; it stays in what is kept. */
  filter: UsageFilter | null = null;
  sentBytes = 0;
  chunks = 0;
  /** `performance.now()` of the first byte; 0 before it. */
  firstByteAt = 0;

  /** @param limit bytes that are kept */
  constructor(limit: number, budget: BufferBudget) {
    this.#limit = limit;
    this.#budget = budget;
  }

  /** @param expected the whole answer's length, as far as is known; else 0. @returns what of the chunk is for the client, now */
  add(chunk: Buffer, expected: number): Buffer {
    this.chunks++;
    if (this.firstByteAt === 0) this.firstByteAt = performance.now();
    const sent = this.filter === null ? chunk : this.filter.push(chunk);
    this.sentBytes += sent.length;
    if (this.#hash === null) {
      if (this.#gathered.length + chunk.length <= this.#limit) {
        this.#keep(chunk, expected);
        return sent;
      }
      this.#hash = this.#hashOfKept();
      const room = this.#limit - this.#gathered.length;
      if (room > 0) this.#keep(chunk.subarray(0, room), 0);
    }
    this.#hash.update(sent);
    return sent;
  }

  /** @returns what is left for the client at the stream's end */
  end(): Buffer | null {
    const rest = this.filter === null ? null : this.filter.flush();
    if (rest === null || rest.length === 0) return null;
    this.sentBytes += rest.length;
    this.#hash?.update(rest);
    return rest;
  }

  /** Takes the place of whatever came before: an answer of our own. */
  replace(body: Buffer): void {
    this.release();
    this.#hash = null;
    this.filter = null;
    this.#gathered.add(body, 0);
    this.sentBytes = body.length;
    this.chunks = 0;
  }

  get kept(): readonly Buffer[] {
    return this.#gathered.length === 0 ? NOTHING : [this.#gathered.bytes];
  }

  /** Of all that was sent, in hex; undefined while the kept bytes are the whole. Call it once. */
  wholeSha256(): string | undefined {
    return this.#hash?.digest("hex");
  }

  #keep(piece: Buffer, expected: number): void {
    this.#gathered.add(piece, Math.min(expected, this.#limit));
    const more = this.#gathered.held - this.#taken;
    if (more <= 0) return;
    // An answer that has begun is not refused: its memory counts against the requests to come.
    this.#budget.used += more;
    this.#taken += more;
  }

  #hashOfKept(): Hash {
    const hash = createHash("sha256");
    const kept = this.#gathered.bytes;
    // The same filter over the same bytes has let the same through so far.
    return hash.update(this.filter === null ? kept : new UsageFilter().push(kept));
  }

  release(): void {
    this.#budget.give(this.#taken);
    this.#taken = 0;
    this.#gathered.clear();
  }
}
