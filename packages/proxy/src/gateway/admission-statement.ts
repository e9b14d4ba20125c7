/** The one statement that decides: `central_llm.admit`, or `admit_one` for a request that comes alone (`migrations/`). */
import { LimitState, Refusal } from "@central-llm/core/rate-limit";
import type pg from "pg";
import { z } from "zod";
import type { AdmissionRequest } from "./admission.ts";
import { CallContext, storable } from "./call-context.ts";

const Answer = z.object({
  call: CallContext.nullable(),
  refusal: Refusal.optional(),
  limits: z.array(LimitState.nullable()).optional(),
  held: z.boolean().optional(),
  ample: z.boolean().optional(),
});
export type Answer = z.infer<typeof Answer>;
/** Made once: making a schema costs more than what it checks here. */
const Answers = z.array(Answer);

const INTERVALS = "$1, make_interval(secs => $2), make_interval(secs => $3)";
const ADMIT = `SELECT central_llm.admit(${INTERVALS}, $4) AS answers`;
const ADMIT_ONE = `SELECT json_build_array(central_llm.admit_one(${INTERVALS}, $4, $5, $6, $7, $8, $9, $10)) AS answers`;
const DEFAULT_LIFETIME_MS = 3_600_000;

/** Who asks: this process, its lease to renew (null: it has one), and the length of a window. */
export interface Asking {
  instance: string;
  leaseSeconds: number | null;
  windowSeconds: number;
}

/** @param requests with the id that each one's reservation gets @returns an answer for each, in their order */
export async function decide(
  pool: pg.Pool,
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
  const asking = [instance, leaseSeconds, windowSeconds];
  const [only] = wanted;
  const result = await pool.query(
    only && wanted.length === 1
      ? {
          name: "admit-one",
          text: ADMIT_ONE,
          values: [
            ...asking,
            only.id,
            only.token,
            only.model,
            only.alias,
            only.tokens,
            only.cost,
            only.lifetime_ms,
          ],
        }
      : { name: "admit", text: ADMIT, values: [...asking, JSON.stringify(wanted)] },
  );
  return Answers.parse(result.rows[0].answers);
}
