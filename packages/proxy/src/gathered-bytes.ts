/**
 * Bytes that come in pieces, kept in one buffer. A list of the pieces would cost some 300 bytes each, however small: a peer that
 * sends one byte a chunk could fill the memory with a body far below every limit.
 */

const FIRST_ALLOCATION = 4096;
/** What a peer announces is believed up to here; beyond it, memory is taken as bytes come. */
const MOST_BELIEVED = 256 * 1024;
const EMPTY = Buffer.alloc(0);

export class GatheredBytes {
  #buffer: Buffer = EMPTY;
  length = 0;

  /** Bytes of memory that are held. */
  get held(): number {
    return this.#buffer.length;
  }

  /** What has come. The first piece alone is handed on as it is, without a copy. */
  get bytes(): Buffer {
    return this.length === this.#buffer.length ? this.#buffer : this.#buffer.subarray(0, this.length);
  }

  /** @param expected the length that all of it is going to have, as far as is known; 0 if it is not */
  add(piece: Buffer, expected: number): void {
    if (this.length === 0) {
      this.#buffer = piece;
      this.length = piece.length;
      return;
    }
    const length = this.length + piece.length;
    // The first piece is not ours to write behind, and has no room either.
    if (length > this.#buffer.length) this.#grow(length, expected);
    piece.copy(this.#buffer, this.length);
    this.length = length;
  }

  #grow(needed: number, expected: number): void {
    const believed = expected <= MOST_BELIEVED ? expected : 0;
    const most = expected > needed ? expected : Number.POSITIVE_INFINITY;
    const size = Math.max(needed, believed, Math.min(most, Math.max(FIRST_ALLOCATION, needed * 2)));
    const larger = Buffer.allocUnsafeSlow(size);
    this.#buffer.copy(larger, 0, 0, this.length);
    this.#buffer = larger;
  }

  clear(): void {
    this.#buffer = EMPTY;
    this.length = 0;
  }
}
