/** The bench's own C programs, compiled when they are first needed and again when their source changes. */
import { execFileSync } from "node:child_process";
import { hash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Kept between runs; git ignores it. */
export const CACHE = fileURLToPath(new URL("../.cache/bench/", import.meta.url));

/** @returns the executable's path @throws Error when there is no C compiler, or the source does not compile */
export function nativeProgram(name: "stub" | "load"): string {
  const source = fileURLToPath(new URL(`${name}.c`, import.meta.url));
  const folder = fileURLToPath(new URL(".", import.meta.url));
  const included = readdirSync(folder).filter((file) => file.endsWith(".h"));
  const text = [source, ...included.map((file) => `${folder}${file}`)].map((file) =>
    readFileSync(file, "utf8"),
  );
  const program = `${CACHE}${name}-${hash("sha256", text.join(""), "hex").slice(0, 12)}`;
  if (existsSync(program)) return program;
  mkdirSync(CACHE, { recursive: true });
  try {
    execFileSync("cc", ["-O2", "-o", `${program}.new`, source], { stdio: "inherit" });
  } catch (error) {
    throw new Error("The bench needs a C compiler as `cc` (Debian: apt-get install gcc libc6-dev)", {
      cause: error,
    });
  }
  renameSync(`${program}.new`, program);
  return program;
}
