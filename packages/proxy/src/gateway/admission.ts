/**
 * Whether a request may go on: one call of `central_llm.admit` decides key, expiry, block, model, budgets and rates of key,
 * user and team, and reserves tokens and cost. Requests that come while a decision is under way are decided together in
 * the next one, so that a busy key costs one lock and one commit per batch, not per request.
 */
import { randomUUID } from "node:crypto";
import type { LimitState, Refusal } from "@central-llm/core/rate-limit";
import { newRequestId } from "@central-llm/core/request-id";
import type pg from "pg";
import { z } from "zod";
import { type Answer, decide } from "./admission-statement.ts";
import type { CallContext } from "./call-context.ts";
import { isConflict, isUnavailable, LANES } from "./database.ts";
import { KnownCallers } from "./known-callers.ts";

export interface AdmissionRequest {
  /** sha256 (hex) of the key that came. */
  token: string;
  /** The model as the client named it. */
  model: string;
  /** The configured model that this name stands for, when that is another; a key may allow either. */
  alias?: string | null;
  /** Tokens that the request may use at most: prompt and completion. */
  tokens: number;
  /** US dollars that it may cost at most: a budget is never overshot only if this is an upper bound. */
  cost: number;
  /** After this the reservation lapses even if its process lives; default 1 hour. */
  lifetimeMs?: number;
}

/** What an admitted request holds until it is settled or released. */
export interface Reservation {
  /** null: nothing of it is limited, so nothing is held. */
  id: string | null;
  token: string;
  userId: string | null;
  teamId: string | null;
  /** As much again could be admitted: nobody waits for what this holds, and it may be given back in company. */
  ample: boolean;
}

export type Admission =
  | {
      outcome: "admitted";
      /** false: the database was away and the policy is to serve known keys; nothing was counted. */
      checked: boolean;
      call: CallContext;
      limits: LimitState[];
      reservation: Reservation;
    }
  | { outcome: "refused"; refusal: Refusal; call: CallContext | null }
  | { outcome: "database_unavailable"; cause: unknown };

export const AdmissionSettings = z.object({
  RATE_LIMIT_WINDOW_SECONDS: z.coerce.number().int().positive().default(60),
  /** A process that has been silent for so long loses what it holds. */
  RESERVATION_LEASE_SECONDS: z.coerce.number().int().min(2).default(15),
  /** `refuse`: 503. `admit_known`: keys that were admitted for the same model in the last 10 minutes go on, uncounted. */
  WHEN_DATABASE_AWAY: z.enum(["refuse", "admit_known"]).default("refuse"),
});
export type AdmissionSettings = z.infer<typeof AdmissionSettings>;

const MAX_BATCH = 128;
/** How long new requests are refused at once after the database could not be reached. */
const REST_MS = 200;
const TOLD_EVERY_MS = 10_000;
const MAX_WAITING_MS = 5_000;
const ATTEMPTS = 3;

interface Waiting {
  request: AdmissionRequest;
  since: number;
  answer(admission: Admission): void;
}

export class Admissions {
  readonly instance = randomUUID();
  readonly #pool: pg.Pool;
  readonly #settings: AdmissionSettings;
  readonly #release: (reservation: string) => void;
  readonly #onAway: (cause: unknown) => void;
  readonly #queue: Waiting[] = [];
  readonly #known = new KnownCallers();
  #busy = 0;
  #leasedUntil = 0;
  #restUntil = 0;
  #answeredAt = Number.NEGATIVE_INFINITY;
  #toldAt = Number.NEGATIVE_INFINITY;

  /**
   * @param release takes back what may have been reserved by an admission whose answer was lost
   * @param onAway hears why the database counts as away, every ten seconds at most
   */
  constructor(
    pool: pg.Pool,
    settings: AdmissionSettings,
    release: (reservation: string) => void,
    onAway: (cause: unknown) => void,
  ) {
    this.#onAway = onAway;
    this.#pool = pool;
    this.#settings = settings;
    this.#release = release;
  }

  /** Never throws. */
  admit(request: AdmissionRequest): Promise<Admission> {
    return new Promise((answer) => {
      this.#queue.push({ request, since: performance.now(), answer });
      // What arrives in this turn of the event loop is decided together.
      if (this.#queue.length === 1) queueMicrotask(() => this.#send());
    });
  }

  #send(): void {
    while (this.#busy < LANES && this.#queue.length > 0) {
      const batch = this.#queue.splice(0, MAX_BATCH);
      this.#busy++;
      this.#decide(batch).finally(() => {
        this.#busy--;
        this.#send();
      });
    }
  }

  async #decide(batch: Waiting[]): Promise<void> {
    const now = performance.now();
    const late = batch.filter((waiting) => now - waiting.since > MAX_WAITING_MS);
    if (now < this.#restUntil || late.length === batch.length) {
      return this.#unavailable(batch, new Error("The database was away a moment ago"));
    }
    for (let attempt = 1; ; attempt++) {
      const begun = performance.now();
      // In the order of time, so that their index is written in one place.
      const ids = batch.map(() => newRequestId().id);
      try {
        const answers = await this.#ask(batch, ids);
        this.#answeredAt = performance.now();
        batch.forEach((waiting, at) => {
          waiting.answer(this.#admission(waiting.request, ids[at] ?? "", answers[at]));
        });
        return;
      } catch (error) {
        if (isConflict(error) && attempt < ATTEMPTS) continue;
        // A server that crashed may have forgotten the lease.
        this.#leasedUntil = 0;
        // The answer may have been lost and not the question.
        if (isUnavailable(error)) for (const id of ids) this.#release(id);
        // A connection that died in the pool (a fail-over) says nothing about the server.
        if (isUnavailable(error) && attempt === 1 && !timedOut(error)) continue;
        // Nor does one that cannot be opened in time while the other lane has its answers.
        if (isUnavailable(error) && attempt < ATTEMPTS && this.#answeredAt > begun) continue;
        // One request that PostgreSQL cannot read must not take its neighbours along.
        if (!isUnavailable(error) && batch.length > 1) {
          await Promise.all(batch.map((waiting) => this.#decide([waiting])));
          return;
        }
        if (isUnavailable(error)) this.#rest(error);
        return this.#unavailable(batch, error);
      }
    }
  }

  #rest(cause: unknown): void {
    const now = performance.now();
    this.#restUntil = now + REST_MS;
    if (now - this.#toldAt < TOLD_EVERY_MS) return;
    this.#toldAt = now;
    this.#onAway(cause);
  }

  async #ask(batch: Waiting[], ids: string[]): Promise<Answer[]> {
    const { RESERVATION_LEASE_SECONDS, RATE_LIMIT_WINDOW_SECONDS } = this.#settings;
    const asked = performance.now();
    const leaseSeconds = asked < this.#leasedUntil ? null : RESERVATION_LEASE_SECONDS;
    const answers = await decide(
      this.#pool,
      { instance: this.instance, leaseSeconds, windowSeconds: RATE_LIMIT_WINDOW_SECONDS },
      batch.map(({ request }, at) => ({ id: ids[at] ?? "", request })),
    );
    // With a third of the lease to spare: a reservation of a process without a lease is nobody's.
    if (leaseSeconds !== null) this.#leasedUntil = asked + (leaseSeconds * 1000 * 2) / 3;
    return answers;
  }

  #admission(request: AdmissionRequest, id: string, answer: Answer | undefined): Admission {
    if (!answer) return { outcome: "database_unavailable", cause: new Error("no answer for this request") };
    const { call } = answer;
    if (answer.refusal) {
      if (answer.refusal.reason !== "rate_limited") this.#known.forget(request);
      return { outcome: "refused", refusal: answer.refusal, call };
    }
    if (!call) return { outcome: "refused", refusal: { reason: "unknown_key" }, call: null };
    if (this.#settings.WHEN_DATABASE_AWAY === "admit_known") this.#known.remember(request, call);
    const { token, userId, teamId } = call;
    const reservation = { id: answer.held ? id : null, token, userId, teamId, ample: answer.ample ?? false };
    return { outcome: "admitted", checked: true, call, limits: answer.limits ?? [], reservation };
  }

  #unavailable(batch: Waiting[], cause: unknown): void {
    for (const { request, answer } of batch) {
      const call = this.#known.recall(request);
      answer(call ? uncounted(call) : { outcome: "database_unavailable", cause });
    }
  }
}

function uncounted(call: CallContext): Admission {
  const { token, userId, teamId } = call;
  const reservation = { id: null, token, userId, teamId, ample: true };
  return { outcome: "admitted", checked: false, call, limits: [], reservation };
}

const timedOut = (error: unknown) => error instanceof Error && /timeout/i.test(error.message);
