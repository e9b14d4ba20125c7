/**
 * Where the proxy's CPU goes, by function: `npm run bench:profile`. Runs it under load with V8's sampling profiler and prints
 * the self time of each function in microseconds a request, for the data path's thread and for the uploader's.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { parseArgs } from "node:util";
import { central, stub, uploaded } from "./contestants.ts";
import { chatRequest, drive } from "./load.ts";
import { CACHE } from "./native-program.ts";
import { pinThisProcess } from "./pinned-process.ts";
import { figure, printTable } from "./report.ts";

/** V8's .cpuprofile, as far as it is used here; times are microseconds. */
interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  samples: number[];
  timeDeltas: number[];
}

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string", default: "5" },
    /** Requests a second; 0: as many as it answers. */
    rate: { type: "string", default: "0" },
    stream: { type: "boolean", default: false },
    top: { type: "string", default: "45" },
  },
});

pinThisProcess();
const folder = `${CACHE}profile`;
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const [upstream, s3] = [await stub(50, 10_000), await stub(0, 0)];
const flags = ["--cpu-prof", `--cpu-prof-dir=${folder}`, "--cpu-prof-interval=200"];
const proxy = await central(upstream.port, s3.port, { flags });
const target = { ...proxy, request: chatRequest(options.stream) };
const load = {
  connections: 64,
  rate: Number(options.rate),
  warmSeconds: 0,
  seconds: Number(options.seconds),
};
const { requests } = await drive(target, load, [upstream.process.pid, s3.process.pid]);
await uploaded(s3);
await proxy.process.stop(60_000);
await Promise.all([upstream, s3].map(({ process }) => process.stop()));

const IDLE = new Set(["(root)", "(program)", "(idle)"]);
function selfTimes(profile: Profile): [string, number][] {
  const names = new Map(
    profile.nodes.map(({ id, callFrame }) => {
      const file = callFrame.url.replace(/^.*\/(packages|node_modules)\//, "");
      return [id, `${callFrame.functionName || "(anonymous)"} ${file}:${callFrame.lineNumber + 1}`];
    }),
  );
  const times = new Map<string, number>();
  profile.samples.forEach((id, index) => {
    const name = names.get(id) ?? "?";
    times.set(name, (times.get(name) ?? 0) + (profile.timeDeltas[index] ?? 0));
  });
  return [...times].sort((a, b) => b[1] - a[1]);
}

for (const file of readdirSync(folder)) {
  const times = selfTimes(JSON.parse(readFileSync(`${folder}/${file}`, "utf8")) as Profile);
  const busy = times.filter(([name]) => !IDLE.has(name.split(" ")[0] ?? ""));
  const total = busy.reduce((sum, [, time]) => sum + time, 0);
  printTable(
    `${file}: ${requests} requests, ${figure(total / requests)} µs of JavaScript and its callees a request`,
    ["function", "µs/request", "%"],
    busy
      .slice(0, Number(options.top))
      .map(([name, time]) => [name, figure(time / requests), figure((time / total) * 100)]),
  );
}
