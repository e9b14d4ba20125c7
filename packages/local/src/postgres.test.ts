import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { afterEach, describe, expect, it } from "vitest";
import { type PostgresServer, startPostgres } from "./postgres.ts";

const folders: string[] = [];
const servers: PostgresServer[] = [];

async function folder(parent = "/tmp"): Promise<string> {
  const path = await mkdtemp(join(parent, "central-llm-postgres-"));
  folders.push(path);
  return join(path, "data");
}

async function start(dataDir: string): Promise<PostgresServer> {
  const server = await startPostgres({ dataDir, durable: false });
  servers.push(server);
  return server;
}

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
  for (const path of folders.splice(0)) await rm(path, { recursive: true, force: true });
});

describe("startPostgres", () => {
  it("keeps its data across stop and start, and listens on 127.0.0.1 alone", async () => {
    const dataDir = await folder();
    const first = await start(dataDir);
    const database = await first.createDatabase('we"ird');
    await query(database, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)");
    expect(await query(first.url, "SHOW listen_addresses")).toEqual([{ listen_addresses: "127.0.0.1" }]);
    await first.stop();
    const second = await start(dataDir);
    expect(await query(second.url.replace(/postgres$/, "we%22ird"), "SELECT n FROM kept")).toEqual([
      { n: 7 },
    ]);
  });

  it("takes its data folder back from a server whose parent was killed with SIGKILL", async () => {
    const dataDir = await folder();
    const script = `import { startPostgres } from ${JSON.stringify(new URL("./postgres.ts", import.meta.url).href)};
      const server = await startPostgres({ dataDir: ${JSON.stringify(dataDir)}, durable: false });
      console.log(server.url); setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ["--input-type=module", "-e", script]);
    const [line] = (await once(parent.stdout, "data")) as [Buffer];
    const survivor = String(line).trim();
    parent.kill("SIGKILL");
    await once(parent, "exit");
    expect(await query(survivor, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    const server = await start(dataDir);
    expect(await query(server.url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    await expect(query(survivor, "SELECT 1")).rejects.toThrow("ECONNREFUSED");
  });

  it.runIf(process.getuid?.() === 0)("runs below a folder that only root may enter", async () => {
    const server = await start(await folder(process.env.HOME));
    expect(await query(server.url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });

  it("says in the server's own words why it could not start", async () => {
    const first = await start(await folder());
    await expect(startPostgres({ dataDir: await folder(), port: first.port })).rejects.toThrow(
      /Address already in use/,
    );
  });
});
