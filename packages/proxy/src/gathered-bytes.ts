/**
 * Bytes that come in pieces, kept in blocks. A list of the pieces themselves would cost some 300 bytes each, however small: a peer
 * that sends one byte a chunk could fill the memory with a body far below every limit. One buffer that grows would leave its
 * smaller selves behind for the garbage collector, several times what is held.
 */

import { createHash } from "node:crypto";

const SMALLEST_BLOCK = 4096;
/** Also what a peer's announced length is believed up to; beyond it, memory is taken as bytes come. */
const LARGEST_BLOCK = 256 * 1024;
const WORTH_KEEPING = 16 * 1024;
const EMPTY = Buffer.alloc(0);

export class GatheredBytes {
  /** All of it while one buffer holds it, else the blocks before the current one. */
  #full: Buffer[] | null = null;
  #block: Buffer = EMPTY;
  /** Bytes of the current block that are taken. */
  #used = 0;
  length = 0;
  /** Bytes of memory that are held. */
  held = 0;

  /** What has come, in one buffer. A single piece is handed on as it is, without a copy. */
  get bytes(): Buffer {
    const last = this.#used === this.#block.length ? this.#block : this.#block.subarray(0, this.#used);
    if (this.#full === null) return last;
    this.#full.push(last);
    this.#block = Buffer.concat(this.#full, this.length);
    this.#used = this.length;
    this.#full = null;
    return this.#block;
  }

  /** The first `limit` bytes, copied only as far as they go: the rest stays where it is. */
  beginning(limit: number): Buffer {
    if (this.length <= limit) return this.bytes;
    if (this.#full === null) return this.#block.subarray(0, limit);
    const whole: Buffer[] = [];
    let length = 0;
    for (const block of this.#full) {
      if (length >= limit) break;
      whole.push(block);
      length += block.length;
    }
    if (length < limit) whole.push(this.#block);
    return Buffer.concat(whole, limit);
  }

  /** Of all that has come, in hex. */
  sha256(): string {
    const hash = createHash("sha256");
    for (const block of this.#full ?? []) hash.update(block);
    return hash.update(this.#block.subarray(0, this.#used)).digest("hex");
  }

  /** @param expected the length that all of it is going to have, as far as is known; 0 if it is not */
  add(piece: Buffer, expected: number): void {
    if (this.length === 0) {
      this.#block = piece;
      this.#used = piece.length;
      this.held = piece.length;
    } else {
      this.#append(piece, expected);
    }
    this.length += piece.length;
  }

  #append(piece: Buffer, expected: number): void {
    const room = this.#block.length - this.#used;
    if (piece.length > room && piece.length >= WORTH_KEEPING) return this.#takeWhole(piece);
    const fits = Math.min(room, piece.length);
    if (fits > 0) {
      piece.copy(this.#block, this.#used, 0, fits);
      this.#used += fits;
    }
    if (fits === piece.length) return;
    this.#next(piece.length - fits, expected - this.length - fits);
    piece.copy(this.#block, 0, fits);
    this.#used = piece.length - fits;
  }

  /** Large pieces become blocks themselves: no copy, and no garbage of the size of all that comes in. */
  #takeWhole(piece: Buffer): void {
    this.#full ??= [];
    if (this.#used > 0) this.#full.push(this.#block.subarray(0, this.#used));
    this.#full.push(piece);
    this.#block = EMPTY;
    this.#used = 0;
    this.held += piece.length;
  }

  /** @param rest what is expected to come still */
  #next(needed: number, rest: number): void {
    this.#full ??= [];
    if (this.#used > 0) this.#full.push(this.#block);
    const guess = Math.max(SMALLEST_BLOCK, this.length);
    const size = Math.max(needed, Math.min(rest > 0 ? rest : guess, LARGEST_BLOCK));
    this.#block = Buffer.allocUnsafeSlow(size);
    this.held += size;
  }

  clear(): void {
    this.#full = null;
    this.#block = EMPTY;
    this.#used = 0;
    this.length = 0;
    this.held = 0;
  }
}
