/**
 * What a request used, booked: its reservation given back, its row in "LiteLLM_SpendLogs", its cost on key, user and team,
 * in one transaction. What cannot be written now waits in memory and is tried again until it is; booking twice is
 * harmless, since a request is booked by its id.
 */
import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import type { Reservation } from "./admission.ts";
import { storable, storableJson } from "./call-context.ts";
import { isUnavailable } from "./database.ts";

export interface Usage {
  /** The platform's own request id (a UUIDv7), never a provider's: those collide. */
  requestId: string;
  /** LiteLLM's name of the call: acompletion, aembedding, anthropic_messages … */
  callType: string;
  status: "success" | "failure";
  /** The model that served, and the name that it was asked for by. */
  model: string;
  modelGroup: string;
  provider: string;
  apiBase?: string;
  promptTokens: number;
  completionTokens: number;
  /** US dollars. */
  cost: number;
  /** Epoch milliseconds. */
  startedAt: number;
  firstTokenAt?: number | null;
  endedAt: number;
  endUser?: string | null;
  clientIp?: string | null;
  sessionId?: string | null;
  tags?: string[];
  /** Kept as it is; never a prompt, an answer or a key. */
  metadata?: Record<string, unknown>;
}

interface Entry {
  reservation: string | null;
  row: Record<string, unknown> | null;
  ample: boolean;
  attempts: number;
  done(): void;
  failed(error: unknown): void;
}

const MAX_BATCH = 100;
/**
 * How long a settlement that nobody waits for waits for company: a transaction of one costs the database nearly as much as
 * one of ten. Spend rows come later by so much, and a process that is killed loses so much more of them.
 */
const COMPANY_MS = 10;
const COMPANY = 32;
const FIRST_PAUSE_MS = 50;
const LAST_PAUSE_MS = 1_000;
const MAX_INTEGER = 2_147_483_647;
/** A row that PostgreSQL itself refuses so often will not be taken any more. */
const MAX_REFUSALS = 3;

export class Settlements {
  readonly #pool: pg.Pool;
  readonly #limit: number;
  readonly #queue: Entry[] = [];
  #writing = 0;
  #running = false;
  #hurried: () => void = () => {};
  #stopped = new AbortController();

  /** @param limit settlements that may wait in memory */
  constructor(pool: pg.Pool, limit = 100_000) {
    this.#pool = pool;
    this.#limit = limit;
  }

  /** Settlements that are not on the database's disk yet. */
  get pendingSettlements(): number {
    return this.#queue.length + this.#writing;
  }

  /**
   * @returns when it is on the database's disk
   * @throws Error when too many wait already, when the row is refused for what it says, or when `stop` came first: the
   * caller still has it, and `settle` may be called again with it, also by another process
   */
  settle(reservation: Reservation, usage: Usage): Promise<void> {
    return this.#add(reservation.id, spendRow(reservation, usage), reservation.ample);
  }

  /** Gives a reservation back without booking anything: the request never reached a model. */
  release(reservation: string | null): Promise<void> {
    return reservation === null ? Promise.resolve() : this.#add(reservation, null, false);
  }

  /** Somebody waits for what is pending. */
  hurry(): void {
    this.#hurried();
  }

  /** Waits until nothing is pending, at most so long. @returns how many are left */
  async drain(timeoutMs: number): Promise<number> {
    const deadline = performance.now() + timeoutMs;
    this.hurry();
    while (this.pendingSettlements > 0 && performance.now() < deadline) await delay(5);
    return this.pendingSettlements;
  }

  /** Gives up on what is left. */
  stop(): void {
    this.#stopped.abort();
    this.hurry();
    for (const entry of this.#queue.splice(0)) entry.failed(new Error("The gateway stops"));
  }

  #add(reservation: string | null, row: Record<string, unknown> | null, ample: boolean): Promise<void> {
    if (this.#stopped.signal.aborted) return Promise.reject(new Error("The gateway stops"));
    if (this.pendingSettlements >= this.#limit) {
      return Promise.reject(new Error(`${this.#limit} settlements are waiting for the database already`));
    }
    return new Promise((done, failed) => {
      this.#queue.push({ reservation, row, ample, attempts: 0, done, failed });
      if (!this.#running) this.#run();
      else if (!ample || this.#queue.length >= COMPANY) this.hurry();
    });
  }

  /** What ends in this turn of the event loop is booked together at least. */
  async #company(): Promise<void> {
    await Promise.resolve();
    if (this.#queue.length >= COMPANY || this.#queue.some(({ ample }) => !ample)) return;
    await new Promise<void>((go) => {
      const timer = setTimeout(go, COMPANY_MS);
      this.#hurried = () => {
        clearTimeout(timer);
        go();
      };
    });
    this.#hurried = () => {};
  }

  async #run(): Promise<void> {
    this.#running = true;
    let pause = FIRST_PAUSE_MS;
    // After a refusal each is tried alone, to find the one that is at fault.
    let most = MAX_BATCH;
    while (this.#queue.length > 0 && !this.#stopped.signal.aborted) {
      if (most > 1) await this.#company();
      const batch = this.#queue.splice(0, most);
      this.#writing = batch.length;
      try {
        await this.#write(batch);
        for (const entry of batch) entry.done();
        pause = FIRST_PAUSE_MS;
        if (most === 1 && !this.#queue.some((entry) => entry.attempts > 0)) most = MAX_BATCH;
      } catch (error) {
        if (isUnavailable(error)) {
          this.#queue.unshift(...batch);
          await delay(pause * (0.5 + Math.random()), undefined, { signal: this.#stopped.signal }).catch(
            () => {},
          );
          pause = Math.min(pause * 2, LAST_PAUSE_MS);
        } else {
          most = 1;
          for (const entry of batch) entry.attempts++;
          const [only] = batch;
          if (batch.length === 1 && only && only.attempts >= MAX_REFUSALS) only.failed(error);
          else this.#queue.unshift(...batch);
        }
      }
      this.#writing = 0;
    }
    this.#running = false;
    if (this.#stopped.signal.aborted) this.stop();
  }

  async #write(batch: Entry[]): Promise<void> {
    // Without a row: it never reached a model, and used nothing.
    const entries = batch.map(({ reservation, row }) => ({ reservation, used: 0, ...row }));
    await this.#pool.query({
      name: "settle",
      text: "SELECT central_llm.settle($1)",
      values: [storableJson(entries)],
    });
    await this.#pool.query({ name: "flush", text: FLUSH });
  }
}

/**
 * A transaction that does nothing but wait for the server's disk, and so for all that was committed before it. `settle` itself
 * does not wait (database.ts): it holds the counters of busy keys, users and teams, for which every admission would wait too.
 * What a crash of the server takes away in between was not confirmed, and is booked again.
 */
const FLUSH =
  "SELECT set_config('synchronous_commit', 'on', true), pg_logical_emit_message(true, 'central-llm', '')";

const integer = (value: number) => Math.min(MAX_INTEGER, Math.max(0, Math.round(value)));

/** The entry of `central_llm.settle` for it. */
export function spendRow(reservation: Reservation, usage: Usage): Record<string, unknown> {
  const promptTokens = integer(usage.promptTokens);
  const completionTokens = integer(usage.completionTokens);
  const instant = (epochMs: number | null | undefined) =>
    epochMs == null ? null : new Date(epochMs).toISOString();
  return {
    used: promptTokens + completionTokens,
    request_id: storable(usage.requestId),
    call_type: usage.callType,
    api_key: reservation.token,
    spend: usage.cost,
    total_tokens: integer(promptTokens + completionTokens),
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    started_at: instant(usage.startedAt),
    first_token_at: instant(usage.firstTokenAt),
    ended_at: instant(usage.endedAt),
    duration_ms: integer(usage.endedAt - usage.startedAt),
    model: usage.model,
    model_id: "",
    model_group: usage.modelGroup,
    provider: usage.provider,
    api_base: usage.apiBase ?? "",
    user_id: reservation.userId,
    team_id: reservation.teamId,
    end_user: usage.endUser ?? null,
    client_ip: usage.clientIp ?? null,
    session_id: usage.sessionId ?? null,
    status: usage.status,
    tags: usage.tags ?? [],
    metadata: { ...usage.metadata, user_api_key: reservation.token, status: usage.status },
  };
}
