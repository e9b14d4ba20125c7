/** Where engines that are not ours are kept, and how they get there. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";

/** Kept between runs; git ignores it. */
export const CACHE = fileURLToPath(new URL("../.cache/conformance/", import.meta.url));

/** Why an engine cannot judge here; the rest of the run goes on without it. */
export class NotHere extends Error {}

/** @throws {NotHere} when the program is not on this machine */
export function need(program: string, flag: string, why: string): void {
  if (spawnSync(program, [flag], { stdio: "ignore" }).status !== 0) {
    throw new NotHere(`\`${program}\` is not on this machine (${why})`);
  }
}

/**
 * The engine's folder in `root`, filled by `fetch` if it is not there yet. What is half fetched is never taken for whole: the
 * folder gets its name when all is in it.
 * @throws {NotHere} when it cannot be fetched
 */
export async function fetched(
  name: string,
  fetch: (folder: string) => Promise<void>,
  root = CACHE,
): Promise<string> {
  const folder = `${root}${name}`;
  if (existsSync(folder)) return folder;
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  console.log(`[conformance] fetching ${name} into ${relative(process.cwd(), root)} (once) ...`);
  const started = Date.now();
  const progress = setInterval(() => {
    console.log(`[conformance] ... still fetching ${name}, ${Math.round((Date.now() - started) / 1000)} s`);
  }, 10_000);
  try {
    await fetch(partial);
  } finally {
    clearInterval(progress);
  }
  renameSync(partial, folder);
  return folder;
}

/** @throws {NotHere} with the program's last words */
export async function run(program: string, args: string[], cwd: string): Promise<void> {
  const child = spawn(program, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-2_000);
    });
  }
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new NotHere(`\`${program} ${args[0]}\` failed:\n${said.trim()}`);
}
