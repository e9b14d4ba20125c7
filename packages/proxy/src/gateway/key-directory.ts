/**
 * Who a key belongs to and what it may call, for routes that need no admission (`/v1/models`, `/key/info`): a short
 * memory of the database. A change made here or by another gateway is announced and seen at once; one that LiteLLM makes
 * in the shared tables is seen when the memory ends, within a second. Unknown keys are never remembered.
 */
import { z } from "zod";
import type { Database } from "./database.ts";
import { ALL, listenToKeyChanges } from "./key-changes.ts";

const KnownKey = z.object({
  token: z.string(),
  keyAlias: z.string().nullable(),
  userId: z.string().nullable(),
  teamId: z.string().nullable(),
  expires: z.date().nullable(),
  blocked: z.boolean(),
  models: z.array(z.string()),
  teamModels: z.array(z.string()),
  userModels: z.array(z.string()),
});
export type KnownKey = z.infer<typeof KnownKey>;

/** Below the second within which a revocation must be seen. */
const TTL_MS = 900;
const MAX_KEYS = 10_000;

const QUERY = `SELECT k.token, k.key_alias AS "keyAlias", k.user_id AS "userId", k.team_id AS "teamId", k.expires,
    coalesce(k.blocked, false) OR coalesce(t.blocked, false) AS blocked, coalesce(k.models, '{}') AS models,
    coalesce(t.models, '{}') AS "teamModels", coalesce(u.models, '{}') AS "userModels"
  FROM "LiteLLM_VerificationToken" k
  LEFT JOIN "LiteLLM_TeamTable" t ON t.team_id = k.team_id
  LEFT JOIN "LiteLLM_UserTable" u ON u.user_id = k.user_id
  WHERE k.token = coalesce((SELECT r.active_token FROM central_llm.retired_key r WHERE r.token = $1 AND r.revoke_at > now()), $1)`;

export class KeyDirectory {
  readonly #database: Database;
  readonly #known = new Map<string, { key: KnownKey; until: number }>();
  readonly #changes;
  /** Grows with each change, so that an answer that was asked for before it is not remembered after it. */
  #generation = 0;

  constructor(database: Database) {
    this.#database = database;
    this.#changes = listenToKeyChanges(database, (token) => {
      this.#generation++;
      // Regenerated keys are known by more than one hash: nothing is kept of anybody on a change of users and teams.
      if (token === ALL) this.#known.clear();
      for (const [asked, { key }] of this.#known) {
        if (asked === token || key.token === token) this.#known.delete(asked);
      }
    });
  }

  get listening(): boolean {
    return this.#changes.listening();
  }

  /**
   * @param token sha256 of the key that came
   * @returns null for a key that is unknown, blocked (itself or its team) or expired
   * @throws pg's errors when the database is away
   */
  async find(token: string): Promise<KnownKey | null> {
    const remembered = this.#known.get(token);
    if (remembered && performance.now() < remembered.until) return inForce(remembered.key);
    const generation = this.#generation;
    const asked = performance.now();
    const result = await this.#database.pool.query({ name: "find-key", text: QUERY, values: [token] });
    this.#known.delete(token);
    if (result.rowCount === 0) return null;
    const key = KnownKey.parse(result.rows[0]);
    if (generation === this.#generation) {
      this.#known.set(token, { key, until: asked + TTL_MS });
      const oldest = this.#known.keys().next().value;
      if (this.#known.size > MAX_KEYS && oldest !== undefined) this.#known.delete(oldest);
    }
    return inForce(key);
  }

  stop(): Promise<void> {
    return this.#changes.stop();
  }
}

const inForce = (key: KnownKey) =>
  key.blocked || (key.expires !== null && key.expires.getTime() <= Date.now()) ? null : key;
