/** Another state of the sources, laid out so that it can be planned with the packages that are installed here. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prepare, ROOT } from "./prepare.ts";

/** What a plan is made from … */
const SOURCES = ["sst.config.ts", "infra", "packages", "package.json"];
/** … and what its tests read beside. */
const TEST_SOURCES = ["docs", "docker", "tsconfig.json", "vitest.config.ts"];

/**
 * Calls `use` with a folder that holds the sources of a git ref, or (null) of the working tree with its tests, and
 * removes it.
 * The platform is shared by links; the workspace's own packages are the copy's, not the working tree's.
 */
export async function withCheckout<T>(ref: string | null, use: (root: string) => Promise<T>): Promise<T> {
  await prepare();
  const root = mkdtempSync(join(tmpdir(), "central-llm-plan-"));
  try {
    if (ref === null) {
      for (const source of [...SOURCES, ...TEST_SOURCES]) {
        const skip = (path: string) => !path.includes("node_modules");
        cpSync(join(ROOT, source), join(root, source), { recursive: true, filter: skip });
      }
    } else {
      const archive = execFileSync("git", ["archive", ref, ...SOURCES], { cwd: ROOT, maxBuffer: 1 << 28 });
      execFileSync("tar", ["-x", "-C", root], { input: archive });
    }
    link(root);
    return await use(root);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

function link(root: string): void {
  const scope = "@central-llm";
  mkdirSync(join(root, "node_modules", scope), { recursive: true });
  for (const name of readdirSync(join(ROOT, "node_modules"))) {
    if (name !== scope) symlinkSync(join(ROOT, "node_modules", name), join(root, "node_modules", name));
  }
  for (const name of readdirSync(join(root, "packages"))) {
    symlinkSync(join(root, "packages", name), join(root, "node_modules", scope, name));
  }
  mkdirSync(join(root, ".sst"));
  for (const name of ["platform", "provider-lock.json", "prepared"]) {
    symlinkSync(join(ROOT, ".sst", name), join(root, ".sst", name));
  }
}
