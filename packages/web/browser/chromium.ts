/**
 * A real Chromium: CHROME_PATH, the system's, or the one that comes with npm's packages (Linux x64). Nothing is downloaded.
 */
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type LaunchOptions } from "playwright-core";

const SYSTEM = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];
const HELP =
  "No Chromium for the browser tests. Set CHROME_PATH to a Chromium or Chrome, or install one (Debian: apt-get install chromium).";

/** @throws when there is none, saying how to get one */
export async function launchChromium(): Promise<Browser> {
  const own = process.env.CHROME_PATH ?? SYSTEM.find((path) => existsSync(path));
  if (own) return chromium.launch({ executablePath: own });
  if (process.platform !== "linux" || process.arch !== "x64") {
    return chromium.launch({ channel: "chrome" }).catch((cause) => {
      throw new Error(HELP, { cause });
    });
  }
  return chromium.launch(await packed());
}

/** Chromium from `@sparticuz/chromium`, unpacked into the folder for temporary files once. */
async function packed(): Promise<LaunchOptions> {
  const { default: sparticuz, inflate } = await import("@sparticuz/chromium");
  const executablePath = await sparticuz.executablePath();
  const entry = dirname(fileURLToPath(import.meta.resolve("@sparticuz/chromium")));
  const bin = [join(entry, "../bin"), join(entry, "../../bin")].find((path) => existsSync(path));
  if (!bin) throw new Error(HELP);
  // NSS and the like, for machines that have no desktop.
  const libraries = await inflate(join(bin, "al2023.tar.br"));
  const fonts = existsSync("/etc/fonts/fonts.conf") ? "/etc/fonts" : join(tmpdir(), "fonts");
  const environment = Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  return {
    executablePath,
    // Not the package's own arguments: with `--single-process` the browser dies with its first page.
    args: ["--disable-gpu", "--font-render-hinting=none"],
    env: {
      ...environment,
      LD_LIBRARY_PATH: [process.env.LD_LIBRARY_PATH, join(libraries, "lib")].filter(Boolean).join(":"),
      FONTCONFIG_PATH: process.env.FONTCONFIG_PATH ?? fonts,
    },
  };
}
