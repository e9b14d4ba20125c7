/** The keys of the LiteLLM stand-in: rows of LiteLLM's own tables, and LiteLLM's words for what is wrong with one. */
import { hashKey, keyName, keyOf, newKey } from "@central-llm/core/virtual-key";
import pg from "pg";

type Json = Record<string, unknown>;

/** LiteLLM 1.100's answer to what it refuses. */
export class LitellmError extends Error {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string;
  constructor(status: number, type: string, message: string, headers: Record<string, string> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
    this.body = JSON.stringify({ error: { message, type, param: "None", code: String(status) } });
  }
}

const COLUMNS = "key_alias user_id team_id metadata rpm_limit max_budget spend blocked expires".split(" ");

export class LitellmKeys {
  readonly #pool: pg.Pool;
  readonly #masterKey: string;
  /** Requests by key's hash, in the one window that a test lasts. */
  readonly #used = new Map<string, number>();

  constructor(databaseUrl: string, masterKey: string) {
    this.#pool = new pg.Pool({ connectionString: databaseUrl, max: 4 });
    this.#pool.on("error", () => {}); // Tests that end the server ask again.
    this.#masterKey = masterKey;
  }

  /** @returns the key's row; null for the master key @throws LitellmError */
  async check(headers: NodeJS.Dict<string | string[]>): Promise<Json | null> {
    const key = keyOf(headers);
    if (key === null || key === "")
      throw new LitellmError(401, "auth_error", "Authentication Error, No api key passed in.");
    if (key === this.#masterKey) return null;
    const token = hashKey(key);
    const row = await this.#row(token);
    if (row === null)
      throw new LitellmError(
        401,
        "token_not_found_in_db",
        `Authentication Error, Invalid proxy server token passed. Received API Key = ${keyName(key)}, Key Hash (Token) =${token}. Unable to find token in cache or \`LiteLLM_VerificationTokenTable\``,
      );
    if (row.blocked) throw new LitellmError(401, "auth_error", "Authentication Error, Key is blocked.");
    if (Number(row.spend) > Number(row.max_budget ?? Number.POSITIVE_INFINITY))
      throw new LitellmError(
        400,
        "budget_exceeded",
        "Budget has been exceeded! Current cost: 2, Max budget: 1",
      );
    this.#limit(token, row.rpm_limit);
    return row;
  }

  #limit(token: string, limit: unknown): void {
    if (limit === null || limit === undefined) return;
    const used = (this.#used.get(token) ?? 0) + 1;
    this.#used.set(token, used);
    if (used <= Number(limit)) return;
    const headers = { "retry-after": "60", rate_limit_type: "requests", reset_at: "1763700060" };
    const message = `Rate limit exceeded for api_key: ${token}. Limit type: requests. Current limit: ${limit}, Remaining: 0.`;
    throw new LitellmError(429, "None", message, headers);
  }

  async #row(token: string): Promise<Json | null> {
    const { rows } = await this.#pool
      .query('SELECT * FROM "LiteLLM_VerificationToken" WHERE token = $1', [token])
      .catch(() => {
        throw new LitellmError(400, "no_db_connection", "No connected db.");
      });
    return rows[0] ?? null;
  }

  async generate(fields: Json): Promise<Json> {
    const key = typeof fields.key === "string" ? fields.key : newKey();
    const token = hashKey(key);
    const names = COLUMNS.filter((name) => fields[name] !== undefined);
    const values = names.map((name) =>
      typeof fields[name] === "object" ? JSON.stringify(fields[name]) : fields[name],
    );
    await this.#pool.query(
      `INSERT INTO "LiteLLM_VerificationToken" (token, key_name, models${names.map((name) => `, ${name}`).join("")})
       VALUES ($1, $2, '{}'${names.map((_, at) => `, $${at + 3}`).join("")})`,
      [token, keyName(key), ...values],
    );
    return { ...fields, key, token, token_id: token, key_name: keyName(key) };
  }

  async info(key: string): Promise<Json> {
    const row = await this.#row(/^[0-9a-f]{64}$/.test(key) ? key : hashKey(key));
    if (row === null) throw new LitellmError(404, "not_found_error", "Key not found in database");
    return { key, info: row };
  }

  async regenerate(key: string): Promise<Json> {
    const { token } = (await this.info(key)).info as { token: string };
    const made = newKey();
    await this.#pool.query('UPDATE "LiteLLM_VerificationToken" SET token = $2 WHERE token = $1', [
      token,
      hashKey(made),
    ]);
    return { key: made, token: hashKey(made) };
  }

  /** For tests that look at the database themselves. */
  query(text: string, values: unknown[] = []): Promise<pg.QueryResult> {
    return this.#pool.query(text, values);
  }

  stop(): Promise<void> {
    return this.#pool.end();
  }
}
