/**
 * Writers: one life of one proxy process. Each has its own folder in the spool and holds a Unix socket in it: whether a
 * folder's owner still lives is asked of the kernel, not of a clock or a process id, which mean nothing across containers
 * that share a disk.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { access, mkdir, readdir, rename } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { LOCK_FILE } from "./spool-layout.ts";

/** sockaddr_un holds 107 bytes of path on Linux, 103 on macOS. */
const MAX_SOCKET_PATH = 103;

export interface Writer {
  writer: string;
  directory: string;
  lock: Server;
}

/** @throws Error when the folder cannot be made or its path is too long for a socket */
export async function newWriter(spoolDirectory: string, task: string): Promise<Writer> {
  const boot = `${Date.now().toString(36)}${randomBytes(3).toString("hex")}`;
  const writer = `${task}-${boot}`;
  const directory = join(spoolDirectory, writer);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  return { writer, directory, lock: await holdLock(directory) };
}

async function holdLock(directory: string): Promise<Server> {
  const path = join(directory, LOCK_FILE);
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH) {
    throw new Error(
      `SPOOL_DIR is too long: ${path} must fit in ${MAX_SOCKET_PATH} bytes; choose a shorter one`,
    );
  }
  const server = createServer((socket) => socket.destroy()).unref();
  server.listen(path);
  await once(server, "listening");
  return server;
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/** Between a dead writer's name and that of the writer that recovers its folder. */
const CLAIM = "~";

/**
 * Takes over the folders of dead writers, oldest first. Taking is a rename, so of two processes that try only one succeeds;
 * a folder taken by a process that died since is taken again.
 * @param unlocked folders seen without a lock at the last call, kept by the caller between calls: a writer that is just starting has
 *   no lock for a moment, and is left alone the first time
 */
export async function claimDeadWriters(
  spoolDirectory: string,
  own: string,
  unlocked: Set<string>,
): Promise<{ writer: string; directory: string }[]> {
  const claimed: { writer: string; directory: string }[] = [];
  for (const entry of (await readdir(spoolDirectory, { withFileTypes: true })).sort(byName)) {
    if (!entry.isDirectory()) continue;
    const [writer = "", owner = writer] = entry.name.split(CLAIM);
    if (writer === own) continue;
    const directory = join(spoolDirectory, `${writer}${CLAIM}${own}`);
    if (owner === own) {
      // Taken by this process already: its uploader's thread died over it and was started again.
      claimed.push({ writer, directory });
      continue;
    }
    const lock = join(spoolDirectory, owner, LOCK_FILE);
    if (await answers(lock)) continue;
    if (owner === writer && !unlocked.has(writer) && !(await exists(lock))) {
      unlocked.add(writer);
      continue;
    }
    unlocked.delete(writer);
    try {
      await rename(join(spoolDirectory, entry.name), directory);
      claimed.push({ writer, directory });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error; // Another process was faster.
    }
  }
  return claimed;
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
