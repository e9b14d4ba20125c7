/** The gateway's connections to PostgreSQL, and what its errors mean. */
import pg from "pg";
import { z } from "zod";

const milliseconds = (fallback: number) => z.coerce.number().int().positive().default(fallback);

export const DatabaseSettings = z.object({
  /** As LiteLLM has it; Prisma's `schema` parameter is honoured, its other ones are not needed. */
  DATABASE_URL: z.string().regex(/^postgres(ql)?:\/\//, "postgresql://user:password@host:port/database"),
  /** Connections for administration and reports; admission and settlement have their own few. */
  DATABASE_POOL_SIZE: z.coerce.number().int().positive().default(5),
  DATABASE_CONNECT_TIMEOUT_MS: milliseconds(2_000),
  DATABASE_STATEMENT_TIMEOUT_MS: milliseconds(5_000),
  /**
   * `async`: an admission does not wait for the server's disk. What a crash of the *server* may forget is at most the
   * last 0.6 s of counts (three times wal_writer_delay); spend is always on disk. `sync`: not even those.
   */
  LIMIT_DURABILITY: z.enum(["async", "sync"]).default("async"),
});
export type DatabaseSettings = z.infer<typeof DatabaseSettings>;

export interface Database {
  /** Administration and reports. */
  pool: pg.Pool;
  /** Admissions: each a single function call that only looks rows up by their keys. */
  admission: pg.Pool;
  /** Settlements: the same; they ask for the server's disk themselves. */
  settlement: pg.Pool;
  /** Opens the connections of the hot path: a burst right after the start must not wait, or time out, for them. */
  warm(): Promise<void>;
  /** A connection of one's own, to LISTEN on. */
  listener(): pg.Client;
  /** A connection of one's own for long work, each statement within so many milliseconds. */
  session(name: string, timeoutMs: number): pg.Client;
  close(): Promise<void>;
}

/** Of the hot path's statements no plan but one by the primary keys is any good, whatever the tables' statistics say. */
const LOOKUPS = {
  enable_seqscan: "off",
  enable_hashjoin: "off",
  enable_mergejoin: "off",
  jit: "off",
  plan_cache_mode: "force_generic_plan",
};

/** Batches of admissions under way, and connections for them; settlements have as many. */
export const LANES = 2;

const TIMESTAMP = 1114;
const BIGINT = 20;

/** LiteLLM's timestamps are UTC without saying so; its limits are bigints that fit a double. */
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: "text" | "binary") => {
    if (format !== "binary" && oid === TIMESTAMP)
      return (text: string) => new Date(`${text.replace(" ", "T")}Z`);
    if (format !== "binary" && oid === BIGINT) return Number;
    return pg.types.getTypeParser(oid, format as "text");
  },
};

/** @param everywhere settings of the server for every connection */
export function openDatabase(
  settings: DatabaseSettings,
  onError: (error: Error) => void,
  everywhere: Record<string, string> = {},
): Database {
  const url = new URL(settings.DATABASE_URL);
  const schema = url.searchParams.get("schema");
  const durability: Record<string, string> =
    settings.LIMIT_DURABILITY === "sync" ? {} : { synchronous_commit: "off" };

  const connection = (name: string, server: Record<string, string>): pg.PoolConfig => ({
    connectionString: settings.DATABASE_URL,
    application_name: `central-llm-${name}`,
    connectionTimeoutMillis: settings.DATABASE_CONNECT_TIMEOUT_MS,
    statement_timeout: settings.DATABASE_STATEMENT_TIMEOUT_MS,
    // For a server that is gone without a word; its own time-out comes first when it is not.
    query_timeout: settings.DATABASE_STATEMENT_TIMEOUT_MS + 1_000,
    keepAlive: true,
    types,
    options: Object.entries({
      TimeZone: "UTC",
      ...(schema ? { search_path: schema } : {}),
      ...everywhere,
      ...server,
    })
      .map(([key, value]) => `-c ${key}=${value}`)
      .join(" "),
  });
  const openPool = (name: string, max: number, server: Record<string, string>) => {
    // A connection that idles in the pool keeps its plans; it is not closed.
    const pool = new pg.Pool({
      ...connection(name, server),
      max,
      idleTimeoutMillis: 0,
      allowExitOnIdle: true,
    });
    pool.on("error", onError);
    return pool;
  };
  const pools = {
    pool: openPool("admin", settings.DATABASE_POOL_SIZE, {}),
    admission: openPool("admission", LANES, { ...LOOKUPS, ...durability }),
    settlement: openPool("settlement", LANES, { ...LOOKUPS, synchronous_commit: "off" }),
  };
  return {
    ...pools,
    async warm() {
      const lanes = Array.from({ length: LANES }, () => [pools.admission, pools.settlement]).flat();
      const opened = await Promise.all(lanes.map((pool) => pool.connect()));
      for (const client of opened) client.release();
    },
    listener: () => new pg.Client(connection("listener", {})),
    session: (name, timeoutMs) =>
      new pg.Client({
        ...connection(name, {}),
        statement_timeout: timeoutMs,
        query_timeout: timeoutMs + 1_000,
      }),
    async close() {
      await Promise.all(Object.values(pools).map((pool) => pool.end()));
    },
  };
}

/** Runs work in a transaction on the administration's pool. */
export async function transaction<Result>(
  database: Pick<Database, "pool">,
  work: (client: pg.PoolClient) => Promise<Result>,
): Promise<Result> {
  const client = await database.pool.connect();
  let broken: Error | undefined;
  try {
    await client.query("BEGIN");
    const result = await work(client);
    await client.query("COMMIT");
    return result;
  } catch (error) {
    await client.query("ROLLBACK").catch((failure: Error) => {
      broken = failure;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}

const codeOf = (error: unknown) => (error as { code?: unknown } | null)?.code;

/** Two transactions met; doing it again helps. */
export function isConflict(error: unknown): boolean {
  const code = codeOf(error);
  return code === "40001" || code === "40P01";
}

/** The server, or the way to it, is at fault, not what was asked: try later. */
export function isUnavailable(error: unknown): boolean {
  if (isConflict(error)) return true;
  const code = codeOf(error);
  if (typeof code === "string" && code.length === 5 && /^[0-9A-Z]{5}$/.test(code)) {
    // Connections, resources, operator intervention (also time-outs), I/O, locks that did not come, read-only stand-bys.
    return /^(08|53|57|58|XX)/.test(code) || code === "55P03" || code === "25006";
  }
  if (typeof code === "string") return /^E[A-Z_]+$/.test(code);
  // pg's own errors carry no code: "Connection terminated unexpectedly", "Query read timeout", "timeout exceeded when …".
  return (
    error instanceof Error && /terminat|timeout|time-out|not queryable|Client was closed/i.test(error.message)
  );
}
