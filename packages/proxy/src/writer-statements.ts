/** Puts a writer's statements into S3 while it lives, and its last one when all its records are there. */
import { hash } from "node:crypto";
import { MAX_SILENCE_MS, statementKey, type WriterStatement } from "@central-llm/core/writer-statement";
import type { ObjectStore } from "./object-store.ts";

export interface StatementOptions {
  writer: string;
  profile: string;
  /** After a new record, at most this long until the next statement. */
  everyMs: number;
}

export class WriterStatements {
  readonly #store: ObjectStore;
  readonly #options: StatementOptions;
  #saidAt = Number.NEGATIVE_INFINITY;
  #said = -1;

  constructor(store: ObjectStore, options: StatementOptions) {
    this.#store = store;
    this.#options = options;
  }

  /** Says it when it is due. @throws StoreError when S3 did not confirm; it is due again at the next call */
  async open(sequence: number): Promise<void> {
    const since = performance.now() - this.#saidAt;
    // Well within the silence that readers allow.
    if (sequence === this.#said ? since < MAX_SILENCE_MS / 3 : since < this.#options.everyMs) return;
    this.#saidAt = performance.now();
    await this.#say("open", sequence);
    this.#said = sequence;
  }

  closed(sequence: number): Promise<void> {
    return this.#say("closed", sequence);
  }

  async #say(state: WriterStatement["state"], sequence: number): Promise<void> {
    const at = new Date().toISOString();
    const { writer, profile } = this.#options;
    const statement = {
      schemaVersion: 1 as const,
      writer,
      profile,
      at,
      sequence,
      state,
    };
    const body = Buffer.from(JSON.stringify(statement));
    await this.#store.put(statementKey(statement), body, hash("sha256", body, "hex"), {
      writer,
      sequence,
    });
  }
}
