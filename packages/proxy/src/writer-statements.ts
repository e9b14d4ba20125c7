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

/** Until a statement that was not confirmed is made again. */
const RETRY_MS = 1_000;

export class WriterStatements {
  readonly #store: ObjectStore;
  readonly #options: StatementOptions;
  /** On performance.now()'s clock. */
  #dueAt = Number.NEGATIVE_INFINITY;
  #said = -1;
  #saidAt = Number.NEGATIVE_INFINITY;

  constructor(store: ObjectStore, options: StatementOptions) {
    this.#store = store;
    this.#options = options;
  }

  /** Says it when it is due. @throws StoreError when S3 did not confirm; it is due again a second later */
  async open(sequence: number): Promise<void> {
    const now = performance.now();
    // Well within the silence that readers allow.
    const isKnown = sequence === this.#said && now - this.#saidAt < MAX_SILENCE_MS / 3;
    if (isKnown || now < this.#dueAt) return;
    const { everyMs } = this.#options;
    this.#dueAt = Number.POSITIVE_INFINITY;
    try {
      await this.#say("open", sequence);
      this.#said = sequence;
      this.#saidAt = now;
      this.#dueAt = now + everyMs;
    } catch (error) {
      this.#dueAt = performance.now() + Math.min(RETRY_MS, everyMs);
      throw error;
    }
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
