/** Where the spool's files lie and how far they may be read. */

export const SEGMENT_SUFFIX = ".seg";
export const CHECKPOINT_FILE = "checkpoint.json";
export const LOCK_FILE = "lock";

export function segmentName(number: number): string {
  return `${String(number).padStart(8, "0")}${SEGMENT_SUFFIX}`;
}

export function segmentNumber(file: string): number | null {
  return /^\d{8}\.seg$/.test(file) ? Number.parseInt(file, 10) : null;
}

const SEGMENT_UNIT = 2n ** 32n;

/**
 * How far the current segment is safe on disk: written by the data path, read by the uploader's thread, in one 64-bit
 * word (segment × 2³² + bytes), so that it is never seen half-changed. A second word holds the last sequence number.
 */
export class Watermark {
  readonly shared: SharedArrayBuffer;
  readonly #word: BigInt64Array<SharedArrayBuffer>;

  constructor(shared = new SharedArrayBuffer(16)) {
    this.shared = shared;
    this.#word = new BigInt64Array(shared);
  }

  publish(segment: number, bytes: number): void {
    Atomics.store(this.#word, 0, BigInt(segment) * SEGMENT_UNIT + BigInt(bytes));
    Atomics.notify(this.#word, 0);
  }

  /** The highest sequence number that the data path has given. */
  get sequence(): number {
    return Number(Atomics.load(this.#word, 1));
  }

  set sequence(sequence: number) {
    Atomics.store(this.#word, 1, BigInt(sequence));
  }

  read(): { segment: number; bytes: number } {
    const word = Atomics.load(this.#word, 0);
    return { segment: Number(word / SEGMENT_UNIT), bytes: Number(word % SEGMENT_UNIT) };
  }

  /** Resolves when it is no longer as given, or after `timeoutMs`. */
  async changed(since: { segment: number; bytes: number }, timeoutMs: number): Promise<void> {
    const seen = BigInt(since.segment) * SEGMENT_UNIT + BigInt(since.bytes);
    const wait = Atomics.waitAsync(this.#word, 0, seen, timeoutMs);
    if (wait.async) await wait.value;
  }
}
