/**
 * What the gateway adds to a call of Bedrock, with key, limits, PII filter, spend and audit on: `npm run bench:gateway`.
 * How to read it: docs/performance.md.
 */
import { parseArgs } from "node:util";
import { objectsStored, schedule, stub, uploaded } from "./contestants.ts";
import { chats, converse, gateway, roundTrips } from "./gateway-contestant.ts";
import {
  BARE,
  FREE,
  HELD,
  MODES,
  type Mode,
  printMode,
  type Results,
  type Round,
  STREAM,
  targets,
} from "./gateway-report.ts";
import { drive, type Load } from "./load.ts";
import { pinThisProcess } from "./pinned-process.ts";
import { figure, printTargets, writeResults } from "./report.ts";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    modes: { type: "string", default: "sat,rate,streams" },
    /** For node, as in --node-flags="--cpu-prof". */
    "node-flags": { type: "string", default: "" },
    /** The gateway alone, at saturation: for a profile. */
    alone: { type: "boolean", default: false },
  },
});
const modes = options.modes.split(",").filter((mode): mode is Mode => mode in MODES);

pinThisProcess();
const bedrock = await stub(STREAM.chunks, STREAM.intervalMicroseconds);
const s3 = await stub(0, 0);
const ours = await gateway(bedrock.port, s3.port, options["node-flags"].split(" ").filter(Boolean));
const names = options.alone ? [HELD] : [BARE, HELD, FREE];

async function once(name: string, mode: Mode, load: Load): Promise<Round> {
  const stream = mode === "streams";
  const farSide = [bedrock.process.pid, s3.process.pid, ...ours.databasePids()];
  if (name === BARE) {
    const measured = await drive({ port: bedrock.port, pid: null, ...converse(stream) }, load, farSide);
    return checked(name, mode, { ...measured, admission: Number.NaN });
  }
  schedule(ours, name === HELD ? "held" : "free");
  await ours.meanAdmission();
  const target = { port: ours.port, pid: ours.pid, ...chats(ours.keys, stream) };
  const measured = await drive(target, load, farSide, () => objectsStored(s3));
  const admission = await ours.meanAdmission();
  schedule(ours, "free");
  await uploaded(s3);
  return checked(name, mode, { ...measured, admission });
}

function checked(name: string, mode: Mode, round: Round): Round {
  const { failures, refused, unsent } = round;
  if (failures + refused > 0)
    throw new Error(`${name}, ${mode}: ${failures} connections lost, ${refused} answers were not 200`);
  if (unsent > 0)
    console.error(`[bench] ${name}, ${mode}: ${unsent} requests fell due and found no connection`);
  return round;
}

const results: Results = {};
for (const mode of modes) {
  const ofMode: Record<string, Round[]> = Object.fromEntries(names.map((name) => [name, []]));
  results[mode] = ofMode;
  for (const name of names) await once(name, mode, { ...MODES[mode], rate: 0, seconds: 3 }); // V8 compiles what is hot.
  for (let number = 0; number < Number(options.rounds); number++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(turn + number) % names.length];
      if (name !== undefined) ofMode[name]?.push(await once(name, mode, MODES[mode]));
    }
    console.error(`[bench] ${mode}: round ${number + 1} of ${options.rounds}`);
  }
  printMode(results, mode);
}
const times = options.alone ? [] : await roundTrips(ours, 1_500);
const quantile = (share: number) => times[Math.floor(times.length * share)] ?? Number.NaN;
await ours.stop();
await Promise.all([bedrock, s3].map(({ process }) => process.stop()));

const roundTrip = { p50: quantile(0.5), p99: quantile(0.99) };
console.log(`\nThe limit round trip alone: p50 ${figure(roundTrip.p50)} ms, p99 ${figure(roundTrip.p99)} ms`);
const met = targets(results, roundTrip.p50);
printTargets(met);
console.log(`\nWritten to ${writeResults("gateway", { loads: MODES, targets: met, roundTrip, results })}`);
