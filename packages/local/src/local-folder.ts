/** `.local/`: everything that `npm start` keeps. One supervisor at a time. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const REPOSITORY = resolve(import.meta.dirname, "../../..");

export interface LocalFolder {
  path: string;
  /** S3, SQS and DynamoDB. */
  data: string;
  spool: string;
  /** API keys and used quotas. */
  edge: string;
  /** The console's accounts and its issuer's signing key. */
  console: string;
  logs: string;
  env: string;
  /** Compiled sources, which make the second start quicker. */
  cache: string;
}

/** @param folder `LOCAL_DIR`; omitted: `.local` in the repository */
export function localFolder(folder?: string): LocalFolder {
  const path = folder ? resolve(folder) : join(REPOSITORY, ".local");
  const at = (name: string) => join(path, name);
  return {
    path,
    data: at("data"),
    spool: at("spool"),
    edge: at("edge"),
    console: at("console"),
    logs: at("logs"),
    env: at("env"),
    cache: at("cache"),
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: somebody else's, but alive.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/**
 * Claims the folder for this process. Returns how to give it back.
 * @throws Error in one line when another instance has it
 */
export function lock(folder: LocalFolder): () => void {
  mkdirSync(folder.path, { recursive: true });
  const file = join(folder.path, "lock");
  for (;;) {
    try {
      writeFileSync(file, String(process.pid), { flag: "wx" });
      return () => rmSync(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const pid = Number(readFileSync(file, "utf8"));
    if (pid > 0 && isAlive(pid)) {
      throw new Error(
        `Another instance (process ${pid}) uses ${folder.path}. Stop it, or start this one with LOCAL_DIR=<folder> PORT_OFFSET=<n>.`,
      );
    }
    // Its process was killed.
    rmSync(file, { force: true });
  }
}

/** Deletes data, logs and keys: only what this program makes, should LOCAL_DIR name somebody's home. */
export function wipe(folder: LocalFolder): void {
  for (const path of [folder.data, folder.spool, folder.edge, folder.console, folder.logs, folder.env]) {
    rmSync(path, { recursive: true, force: true });
  }
}

/** `KEY=value` lines that a shell can source. The file appears whole or not at all. */
export function writeEnv(folder: LocalFolder, variables: Record<string, string>): void {
  const lines = Object.entries(variables).map(([name, value]) => {
    const plain = /^[\w:/.@%+=,-]*$/.test(value);
    return `${name}=${plain ? value : `'${value.replaceAll("'", `'\\''`)}'`}\n`;
  });
  const next = `${folder.env}.next`;
  writeFileSync(next, lines.join(""), { mode: 0o600 });
  renameSync(next, folder.env);
}
