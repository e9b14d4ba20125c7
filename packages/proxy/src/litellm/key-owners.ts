/**
 * Whose key it is, for the audit and for the filter's policy: read from LiteLLM's tables by the key's hash, and never written. No
 * call waits long for it or fails by it: LiteLLM decides on keys, we only name their owners.
 */
import { z } from "zod";
import type { Database } from "../gateway/database.ts";

const Metadata = z.record(z.string(), z.unknown()).nullable();
const KeyOwner = z.object({
  token: z.string(),
  keyAlias: z.string().nullable(),
  userId: z.string().nullable(),
  userEmail: z.string().nullable(),
  teamId: z.string().nullable(),
  teamAlias: z.string().nullable(),
  tpmLimit: z.number().nullable(),
  rpmLimit: z.number().nullable(),
  maxBudget: z.number().nullable(),
  metadata: Metadata,
  teamMetadata: Metadata,
});
export type KeyOwner = z.infer<typeof KeyOwner>;

/** `unread`: the database could not be asked, and this process has not seen the key before. */
export type Ownership = { known: KeyOwner } | "stranger" | "unread";

const QUERY = `SELECT k.token, k.key_alias AS "keyAlias", k.user_id AS "userId", u.user_email AS "userEmail", k.team_id AS "teamId",
    t.team_alias AS "teamAlias", k.tpm_limit AS "tpmLimit", k.rpm_limit AS "rpmLimit", k.max_budget AS "maxBudget",
    k.metadata, t.metadata AS "teamMetadata"
  FROM "LiteLLM_VerificationToken" k
  LEFT JOIN "LiteLLM_TeamTable" t ON t.team_id = k.team_id
  LEFT JOIN "LiteLLM_UserTable" u ON u.user_id = k.user_id
  WHERE k.token = $1`;

/** A stricter filter that a key is given is in force within this time. */
const FRESH_MS = 900;
/** A database that hangs delays a call by this much, and then nobody for a while. */
const PATIENCE_MS = 1_000;
const PAUSE_MS = 2_000;
const MAX_KEYS = 10_000;

export class KeyOwners {
  readonly #database: Pick<Database, "pool">;
  readonly #onTrouble: (error: unknown) => void;
  readonly #known = new Map<string, { owner: KeyOwner; until: number }>();
  /** Questions under way: many calls of one key ask once. */
  readonly #asked = new Map<string, Promise<Ownership>>();
  #pausedUntil = 0;

  /** @param onTrouble hears why the database could not be asked */
  constructor(database: Pick<Database, "pool">, onTrouble: (error: unknown) => void) {
    this.#database = database;
    this.#onTrouble = onTrouble;
  }

  /** @param token sha256 of the key. Never rejects. */
  async find(token: string): Promise<Ownership> {
    const remembered = this.#known.get(token);
    const now = performance.now();
    if (remembered && now < remembered.until) return { known: remembered.owner };
    // What was known last is better than nothing: a key's stricter filter stays in force while the database is away.
    const stale: Ownership = remembered ? { known: remembered.owner } : "unread";
    if (now < this.#pausedUntil) return stale;
    let asked = this.#asked.get(token);
    if (asked === undefined) {
      asked = this.#ask(token, stale).finally(() => this.#asked.delete(token));
      this.#asked.set(token, asked);
    }
    return asked;
  }

  async #ask(token: string, stale: Ownership): Promise<Ownership> {
    const since = performance.now();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer in ${PATIENCE_MS} ms`)), PATIENCE_MS);
    });
    const query = this.#database.pool.query({ name: "key-owner", text: QUERY, values: [token] });
    query.catch(() => {}); // Told below, unless it failed too late to matter.
    try {
      const { rows } = await Promise.race([query, late]);
      this.#known.delete(token);
      if (rows.length === 0) return "stranger";
      const owner = KeyOwner.parse(rows[0]);
      this.#remember(token, owner, since + FRESH_MS);
      return { known: owner };
    } catch (error) {
      this.#pausedUntil = performance.now() + PAUSE_MS;
      this.#onTrouble(error);
      return stale;
    } finally {
      clearTimeout(timer);
    }
  }

  #remember(token: string, owner: KeyOwner, until: number): void {
    this.#known.set(token, { owner, until });
    const oldest = this.#known.keys().next().value;
    if (this.#known.size > MAX_KEYS && oldest !== undefined) this.#known.delete(oldest);
  }
}
