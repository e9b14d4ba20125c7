/** An append-only file through the callback API of node:fs, which costs a third of what FileHandle's promises do. */
import { close, fdatasync, open, write } from "node:fs";
import { frameBound, type Kind, writeFrame } from "./spool-frame.ts";

export class SpoolFile {
  readonly #descriptor: number;
  /** Bytes in the file. Where a write failed half-way, the next one goes on. */
  bytes = 0;

  private constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  static open(path: string, flags: number): Promise<SpoolFile> {
    return new Promise((resolve, reject) =>
      open(path, flags, 0o600, (error, descriptor) =>
        error ? reject(error) : resolve(new SpoolFile(descriptor)),
      ),
    );
  }

  /** @returns bytes written, at least 1. @throws what the disk says (ENOSPC, EIO …) */
  append(buffer: Buffer, offset: number, length: number): Promise<number> {
    return new Promise((resolve, reject) =>
      write(this.#descriptor, buffer, offset, length, this.bytes, (error, written) => {
        if (error) return reject(error);
        this.bytes += written;
        resolve(written);
      }),
    );
  }

  async appendFrame(kind: Kind, meta: string, request: Buffer | null, response: readonly Buffer[] = []) {
    const buffer = Buffer.allocUnsafe(frameBound(meta, request, response));
    const end = writeFrame(buffer, 0, kind, meta, request, response);
    for (let from = 0; from < end; ) from += await this.append(buffer, from, end - from);
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) =>
      fdatasync(this.#descriptor, (error) => (error ? reject(error) : resolve())),
    );
  }

  close(): Promise<void> {
    return new Promise((resolve, reject) =>
      close(this.#descriptor, (error) => (error ? reject(error) : resolve())),
    );
  }
}
