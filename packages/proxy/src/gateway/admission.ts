/**
 * Whether a request may go on: one call of `central_llm.admit` decides key, expiry, block, model, budgets and rates of key,
 * user and team, and reserves tokens and cost. Requests that come while a decision is under way are decided together in
 * the next one, so that a busy key costs one lock and one commit per batch, not per request.
 */
import { randomUUID } from "node:crypto";
import { LimitState, Refusal } from "@central-llm/core/rate-limit";
import type pg from "pg";
import { z } from "zod";
import { CallContext, storable } from "./call-context.ts";
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

const Answer = z.object({
  call: CallContext.nullable(),
  refusal: Refusal.optional(),
  limits: z.array(LimitState.nullable()).optional(),
  held: z.boolean().optional(),
  ample: z.boolean().optional(),
});

const INTERVALS = "$1, make_interval(secs => $2), make_interval(secs => $3)";
const ADMIT = `SELECT central_llm.admit(${INTERVALS}, $4) AS answers`;
const ADMIT_ONE = `SELECT json_build_array(central_llm.admit_one(${INTERVALS}, $4, $5, $6, $7, $8, $9, $10)) AS answers`;
const MAX_BATCH = 128;
/** How long new requests are refused at once after the database could not be reached. */
const REST_MS = 200;
const MAX_WAITING_MS = 5_000;
const DEFAULT_LIFETIME_MS = 3_600_000;
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
  readonly #queue: Waiting[] = [];
  readonly #known = new KnownCallers();
  #busy = 0;
  #leasedUntil = 0;
  #restUntil = 0;

  /** @param release takes back what may have been reserved by an admission whose answer was lost */
  constructor(pool: pg.Pool, settings: AdmissionSettings, release: (reservation: string) => void) {
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
      const ids = batch.map(() => randomUUID());
      try {
        const answers = await this.#ask(batch, ids);
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
        // One request that PostgreSQL cannot read must not take its neighbours along.
        if (!isUnavailable(error) && batch.length > 1) {
          await Promise.all(batch.map((waiting) => this.#decide([waiting])));
          return;
        }
        if (isUnavailable(error)) this.#restUntil = performance.now() + REST_MS;
        return this.#unavailable(batch, error);
      }
    }
  }

  async #ask(batch: Waiting[], ids: string[]): Promise<z.infer<typeof Answer>[]> {
    const requests = batch.map(({ request }, at) => ({
      id: ids[at],
      token: storable(request.token),
      model: storable(request.model),
      alias: request.alias == null ? null : storable(request.alias),
      tokens: Math.max(0, Math.ceil(request.tokens)),
      cost: Math.max(0, Math.ceil(request.cost * 1e9)),
      lifetime_ms: request.lifetimeMs ?? DEFAULT_LIFETIME_MS,
    }));
    const { RESERVATION_LEASE_SECONDS, RATE_LIMIT_WINDOW_SECONDS } = this.#settings;
    const leaseMs = RESERVATION_LEASE_SECONDS * 1000;
    const asked = performance.now();
    const lease = asked < this.#leasedUntil ? null : RESERVATION_LEASE_SECONDS;
    const process = [this.instance, lease, RATE_LIMIT_WINDOW_SECONDS];
    const [only] = requests;
    const result = await this.#pool.query(
      only && requests.length === 1
        ? {
            name: "admit-one",
            text: ADMIT_ONE,
            values: [
              ...process,
              only.id,
              only.token,
              only.model,
              only.alias,
              only.tokens,
              only.cost,
              only.lifetime_ms,
            ],
          }
        : { name: "admit", text: ADMIT, values: [...process, JSON.stringify(requests)] },
    );
    // With a third of the lease to spare: a reservation of a process without a lease is nobody's.
    if (lease !== null) this.#leasedUntil = asked + (leaseMs * 2) / 3;
    return z.array(Answer).parse(result.rows[0].answers);
  }

  #admission(request: AdmissionRequest, id: string, answer: z.infer<typeof Answer> | undefined): Admission {
    if (!answer) return { outcome: "database_unavailable", cause: new Error("no answer for this request") };
    const { call } = answer;
    if (answer.refusal) {
      if (answer.refusal.reason !== "rate_limited") this.#known.forget(request);
      return { outcome: "refused", refusal: answer.refusal, call };
    }
    if (!call) return { outcome: "refused", refusal: { reason: "unknown_key" }, call: null };
    if (this.#settings.WHEN_DATABASE_AWAY === "admit_known") this.#known.remember(request, call);
    const limits = (answer.limits ?? []).filter((limit) => limit !== null);
    const { token, userId, teamId } = call;
    const reservation = { id: answer.held ? id : null, token, userId, teamId, ample: answer.ample ?? false };
    return { outcome: "admitted", checked: true, call, limits, reservation };
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
