/** The soak's spool on a file system of its own, small enough to be filled; needs root, else the machine's disk is used. */
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

const SIZE = "128m";

export class SpoolDisk {
  readonly path: string;
  readonly canFill: boolean;

  #mounted: boolean;

  private constructor(path: string, canFill: boolean) {
    this.path = path;
    this.canFill = canFill;
    this.#mounted = canFill;
    // Also when something throws, or a second Ctrl-C ends it.
    process.once("exit", () => this.unmount());
  }

  static mount(path: string): SpoolDisk {
    mkdirSync(path, { recursive: true });
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", `size=${SIZE}`, "none", path], { stdio: "ignore" });
      return new SpoolDisk(path, true);
    } catch {
      return new SpoolDisk(path, false);
    }
  }

  /** Leaves no byte free. */
  fill(): void {
    const file = openSync(join(this.path, "filler"), "a");
    try {
      for (const chunk of [2 ** 20, 4096, 1]) {
        const zeros = Buffer.alloc(chunk);
        for (;;) if (writeSync(file, zeros) < chunk) break;
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    } finally {
      closeSync(file);
    }
  }

  free(): void {
    rmSync(join(this.path, "filler"), { force: true });
  }

  unmount(): void {
    if (!this.#mounted) return;
    this.#mounted = false;
    execFileSync("umount", ["-l", this.path]);
  }
}
