/** The one statement that decides: `central_llm.admit`, or `admit_lone` for a request that comes alone (`migrations/`). */
import { LimitState, Refusal } from "@central-llm/core/rate-limit";
import type pg from "pg";
import { z } from "zod";
import type { AdmissionRequest } from "./admission.ts";
import { CallContext, storable } from "./call-context.ts";
import { loneAnswer } from "./lone-answer.ts";

const Answer = z.object({
  call: CallContext.nullable(),
  refusal: Refusal.optional(),
  limits: z.array(LimitState).optional(),
  held: z.boolean().optional(),
});
/** `ample`: as much again could be admitted, so that nobody waits for what this request gives back. Not told of a batch. */
export type Answer = z.infer<typeof Answer> & { ample?: boolean };
/** Made once: making a schema costs more than what it checks here. */
const Answers = z.array(Answer);

const ADMIT = "SELECT central_llm.admit($1, $2, $3, $4) AS answers";
const ADMIT_LONE = "SELECT central_llm.admit_lone($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) AS answer";
const DEFAULT_LIFETIME_MS = 3_600_000;

/** Who asks: this process, its lease to renew (null: it has one), and the length of a window. */
export interface Asking {
  instance: string;
  leaseSeconds: number | null;
  windowSeconds: number;
}

/** @param requests with the id that each one's reservation gets @returns an answer for each, in their order @throws pg's errors */
export async function decide(
  pool: Pick<pg.Pool, "query">,
  { instance, leaseSeconds, windowSeconds }: Asking,
  requests: { id: string; request: AdmissionRequest }[],
): Promise<Answer[]> {
  const wanted = requests.map(({ id, request }) => ({
    id,
    token: storable(request.token),
    model: storable(request.model),
    alias: request.alias == null ? null : storable(request.alias),
    tokens: Math.max(0, Math.ceil(request.tokens)),
    cost: Math.max(0, Math.ceil(request.cost * 1e9)),
    lifetime_ms: request.lifetimeMs ?? DEFAULT_LIFETIME_MS,
  }));
  // As text that PostgreSQL reads as intervals: functions that make them cost more.
  const asking = [instance, leaseSeconds === null ? null : `${leaseSeconds} s`, `${windowSeconds} s`];
  const [only] = wanted;
  if (!only || wanted.length > 1) {
    const values = [...asking, JSON.stringify(wanted)];
    const { rows } = await pool.query({ name: "admit", text: ADMIT, values });
    return Answers.parse(rows[0].answers);
  }
  const { id, token, model, alias, tokens, cost, lifetime_ms } = only;
  const values = [...asking, id, token, model, alias, tokens, cost, `${lifetime_ms} ms`];
  const { rows } = await pool.query({ name: "admit-lone", text: ADMIT_LONE, values });
  const [{ answer }] = rows;
  return [Array.isArray(answer) ? loneAnswer(answer, only, windowSeconds) : Answer.parse(answer)];
}
