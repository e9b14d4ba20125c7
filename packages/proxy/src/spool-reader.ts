/** Reads the frames of a writer's segments in order, up to where they are safe on disk. */
import { type FileHandle, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Frame, HEAD_BYTES, readFrame } from "./spool-frame.ts";
import { segmentName, segmentNumber } from "./spool-layout.ts";

export interface Place {
  segment: number;
  offset: number;
}

export interface PlacedFrame {
  frame: Frame;
  /** Behind the frame. */
  end: Place;
}

const READ_BYTES = 1024 * 1024;

export async function segmentsOf(directory: string): Promise<number[]> {
  const numbers = (await readdir(directory)).map(segmentNumber);
  return numbers.filter((number) => number !== null).sort((a, b) => a - b);
}

/** One segment, read front to back. */
export class SegmentReader {
  readonly #file: FileHandle;
  #buffer: Buffer = Buffer.alloc(0);
  /** Offset in the file of the buffer's first byte, and of the next frame. */
  #start: number;
  #next: number;

  private constructor(file: FileHandle, offset: number) {
    this.#file = file;
    this.#start = offset;
    this.#next = offset;
  }

  static async open(directory: string, segment: number, offset = 0): Promise<SegmentReader> {
    return new SegmentReader(await open(join(directory, segmentName(segment)), "r"), offset);
  }

  get offset(): number {
    return this.#next;
  }

  async size(): Promise<number> {
    return (await this.#file.stat()).size;
  }

  /** @returns the next frame, "short" when it is not whole below `limit`, or "damaged" */
  async next(limit: number): Promise<Frame | "short" | "damaged"> {
    for (let wanted = READ_BYTES; ; wanted *= 2) {
      const frame = readFrame(this.#buffer, this.#next - this.#start);
      if (frame !== "short") {
        if (frame !== "damaged") this.#next += frame.bytes;
        return frame;
      }
      const have = this.#start + this.#buffer.length;
      if (have >= limit || limit - this.#next < HEAD_BYTES) return "short";
      await this.#fill(Math.min(wanted, limit - this.#next));
    }
  }

  /** A new buffer each time: frames handed out still point into the old one. */
  async #fill(bytes: number): Promise<void> {
    const buffer = Buffer.allocUnsafeSlow(bytes);
    let filled = 0;
    while (filled < bytes) {
      const { bytesRead } = await this.#file.read(buffer, filled, bytes - filled, this.#next + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    this.#start = this.#next;
    this.#buffer = buffer.subarray(0, filled);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
