/**
 * As whom PostgreSQL runs. It refuses to run as root; when we are root (a container), it runs as `postgres`, which is
 * created when the machine has none.
 */
import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { dirname, resolve } from "node:path";

export interface Account {
  uid: number;
  gid: number;
}

const id = (flag: "-u" | "-g"): number | null => {
  try {
    return Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8", stdio: "pipe" }).trim());
  } catch {
    return null; // `id` says that there is no such user.
  }
};

/** null: we are not root, so PostgreSQL runs as we do. */
export function postgresAccount(): Account | null {
  if (process.getuid?.() !== 0) return null;
  if (id("-u") === null) {
    execFileSync("groupadd", ["--force", "--system", "postgres"]);
    execFileSync("useradd", ["--system", "--gid", "postgres", "--no-create-home", "postgres"]);
  }
  return { uid: id("-u") ?? Number.NaN, gid: id("-g") ?? Number.NaN };
}

/** Whether each folder above the path may be entered by anybody. */
function isReachable(path: string): boolean {
  let folder = resolve(path);
  while (folder !== dirname(folder)) {
    folder = dirname(folder);
    if ((statSync(folder).mode & 0o001) === 0) return false;
  }
  return true;
}

/**
 * The command that runs a program as the account. Below a home that only root may enter (a clone in /root), the program
 * keeps the one capability that lets it pass those folders' doors.
 */
export function commandAs(
  account: Account | null,
  program: string,
  flags: readonly string[],
  paths: readonly string[],
): { file: string; flags: string[] } & Partial<Account> {
  if (account === null) return { file: program, flags: [...flags] };
  if ([program, ...paths].every(isReachable)) return { file: program, flags: [...flags], ...account };
  const capability = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"];
  const identity = [`--reuid=${account.uid}`, `--regid=${account.gid}`, "--clear-groups"];
  return { file: "setpriv", flags: [...identity, ...capability, "--", program, ...flags] };
}
