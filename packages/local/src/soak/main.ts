/** `npm run soak -- --minutes 30`: exit code 1 when a promise was broken. Ctrl-C ends the load early, with the ledger. */
import "../node-version.ts";
import { mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { ledgerOf } from "./ledger.ts";
import { ledgerPage } from "./ledger-page.ts";
import { soak } from "./soak.ts";

const positive = (text: string) => {
  const number = Number(text);
  if (!(number > 0)) throw new InvalidArgumentError("It must be a number above 0.");
  return number;
};

const options = new Command("npm run soak --")
  .description("The central path under load and faults, then the ledger of what was asked and what was kept.")
  .requiredOption("--minutes <n>", "how long the load lasts", positive)
  .option("--rate <n>", "requests a second", positive, 50)
  .option(
    "--seed <n>",
    "of the requests' mix and the order of faults",
    positive,
    Math.ceil(Math.random() * 1e6),
  )
  .option("--out <file>", "write the ledger there too, as Markdown")
  .option("--keep", "keep the folder with spool and logs")
  .parse()
  .opts<{ minutes: number; rate: number; seed: number; out?: string; keep?: boolean }>();

/** Where there is no terminal, a line of progress is worth its room this seldom. */
const LINE_EVERY_MS = 30_000;
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    if (stop.signal.aborted) process.exit(1);
    console.log("\nEnding early; once more to leave without a ledger.");
    stop.abort();
  });
}

let toldAt = 0;
let toldPhase = "";
function say(line: string): void {
  if (process.stdout.isTTY)
    return void process.stdout.write(`\r\u001b[K${line.slice(0, process.stdout.columns - 1)}`);
  const phase = /^\d/.test(line) ? "" : line;
  if (phase === toldPhase && Date.now() - toldAt < LINE_EVERY_MS) return;
  [toldAt, toldPhase] = [Date.now(), phase];
  console.log(line);
}

const folder = process.env.LOCAL_DIR ?? mkdtempSync(join(tmpdir(), "soak-"));
console.log(`Seed ${options.seed}; logs in ${join(folder, "logs")}`);
const evidence = await soak({ ...options, folder }, say, stop.signal);
const ledger = ledgerOf(evidence);
const page = ledgerPage(evidence, ledger);
if (process.stdout.isTTY) process.stdout.write("\r\u001b[K");
console.log(`\n${page}`);
if (options.out) writeFileSync(options.out, page);
writeFileSync(join(folder, "logs", "memory.json"), JSON.stringify(evidence.watch.samples));
if (ledger.broken.length === 0 && !options.keep) await rm(folder, { recursive: true, force: true });
process.exit(ledger.broken.length === 0 ? 0 : 1);
