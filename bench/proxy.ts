/**
 * How fast the audited proxy is, beside nginx and Portkey's gateway, in one run: `npm run bench:proxy`.
 * How to read it: docs/performance.md.
 */
import { parseArgs } from "node:util";
import {
  type Contestant,
  central,
  nginx,
  objectsStored,
  portkey,
  schedule,
  stub,
  uploaded,
} from "./contestants.ts";
import { chatRequest, drive, type Load, type Measured } from "./load.ts";
import { pinThisProcess } from "./pinned-process.ts";
import {
  FREE,
  HELD,
  isStream,
  MODES,
  type Mode,
  printMode,
  type Results,
  STREAM,
  targets,
  UPSTREAM,
} from "./proxy-report.ts";
import { printTargets, writeResults } from "./report.ts";

/** A try in which others had more than this share of a core is repeated, `--tries` times at most. */
const QUIET = 0.06;

/** One form of a contestant; ours is measured with its uploads held back and let go. */
interface Form {
  name: string;
  contestant: Contestant;
  uploads?: "held" | "free";
}

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "7" },
    modes: { type: "string", default: "sat,rate,sse,arrivals" },
    /** Ours alone, without the peers: for comparing two commits. */
    alone: { type: "boolean", default: false },
    tries: { type: "string", default: "4" },
    /** For node, as in --node-flags="--max-semi-space-size=32". */
    "node-flags": { type: "string", default: "" },
  },
});
const rounds = Number(options.rounds);
const modes = options.modes.split(",").filter((mode): mode is Mode => mode in MODES);

pinThisProcess();
const upstream = await stub(STREAM.chunks, STREAM.intervalMicroseconds);
const s3 = await stub(0, 0);
const ours = await central(upstream.port, s3.port, {
  flags: options["node-flags"].split(" ").filter(Boolean),
});
const forms: Form[] = [
  { name: HELD, contestant: ours, uploads: "held" },
  { name: FREE, contestant: ours, uploads: "free" },
];
if (!options.alone) {
  forms.unshift({ name: "nginx", contestant: await nginx(upstream.port) });
  forms.push({ name: "portkey", contestant: await portkey(upstream.port) });
}
forms.unshift({ name: UPSTREAM, contestant: upstream });
const farSide = [upstream.process.pid, s3.process.pid];

async function once(form: Form, mode: Mode, load: Load): Promise<Measured> {
  const { contestant, uploads } = form;
  if (uploads) schedule(contestant, uploads);
  const request = chatRequest(isStream(mode), contestant.headers);
  const stored = uploads && (() => objectsStored(s3));
  const measured = await drive({ ...contestant, request }, load, farSide, stored);
  if (uploads) {
    schedule(contestant, "free");
    await uploaded(s3);
  }
  const { failures, refused } = measured;
  if (failures + refused > 0) {
    throw new Error(`${form.name}, ${mode}: ${failures} connections lost, ${refused} answers were not 200`);
  }
  return measured;
}

/** Repeated while others had a part of the cores; of all tries the quietest counts. */
async function round(form: Form, mode: Mode): Promise<Measured> {
  let best: Measured | null = null;
  for (let attempt = 0; attempt < Number(options.tries); attempt++) {
    const measured = await once(form, mode, MODES[mode]);
    if (best === null || measured.foreign < best.foreign) best = measured;
    if (best.foreign <= QUIET) break;
  }
  if (best === null) throw new Error("No try");
  return best;
}

const results: Results = {};
let file = "";
for (const mode of modes) {
  const ofMode: Record<string, Measured[]> = Object.fromEntries(forms.map(({ name }) => [name, []]));
  results[mode] = ofMode;
  for (const form of forms) await once(form, mode, { ...MODES[mode], rate: 0, seconds: 4 }); // V8 compiles what is hot.
  for (let number = 0; number < rounds; number++) {
    // Each round begins with another contestant, so that none always follows the same.
    for (let turn = 0; turn < forms.length; turn++) {
      const form = forms[(turn + number) % forms.length];
      if (form) ofMode[form.name]?.push(await round(form, mode));
    }
    console.error(`[bench] ${mode}: round ${number + 1} of ${rounds}`);
  }
  printMode(results, mode);
  // After each mode: a run that is broken off leaves what it has measured.
  file = writeResults("proxy", { rounds, loads: MODES, targets: targets(results), results });
}
await Promise.all(
  [...new Set(forms.map(({ contestant }) => contestant)), s3].map(({ process }) => process.stop()),
);

printTargets(targets(results));
console.log(`\nWritten to ${file}`);
