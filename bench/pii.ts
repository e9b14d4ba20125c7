/**
 * `node bench/pii.ts [--json]`: precision and recall of the PII filter by entity on the labelled set, and what it
 * costs: CPU microseconds per KB of prose, of prompts with values, and of streamed pieces. Times are CPU time of this
 * process (medians of 9), next to a bare loop over the same text: on a busy machine only the ratio means something.
 */
import { PiiChannel } from "../packages/core/src/pii-channel.ts";
import { detect } from "../packages/core/src/pii-detector.ts";
import { filterRequest } from "../packages/core/src/pii-filter.ts";
import { DEFAULT_POLICY } from "../packages/core/src/pii-policy.ts";
import { labelledTexts } from "../packages/core/src/testing/pii-labelled.ts";
import { score } from "../packages/core/src/testing/pii-score.ts";

const PROSE =
  "You are a careful assistant. Summarise the well-known notes below (see section 3) and list who does what: the " +
  "team agreed to ship version 2.4 in March, pending review; Kim asks whether that's still right, Sam says it is. ";
/** As JSON.parse gives it: one flat string. */
const flat = (text: string): string => JSON.parse(JSON.stringify(text));
const prose = flat(PROSE.repeat(12).slice(0, 2048));
const german = flat(
  "Größere Änderungen prüfen wir später, schöne Grüße – Jürgen. ".repeat(40).slice(0, 2048),
);
const russian = flat("Съешь ещё этих мягких французских булок, да выпей чаю. ".repeat(40).slice(0, 2048));
const labelled = labelledTexts().map(({ text }) => text);
const values = labelled.join("\n");

function bareLoop(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) === 64) count++;
  return count;
}

/** @returns CPU microseconds of one run */
function cost(run: () => void): number {
  for (let warm = 0; warm < 300; warm++) run();
  const runs = 500;
  const samples = Array.from({ length: 9 }, () => {
    const before = process.cpuUsage();
    for (let count = 0; count < runs; count++) run();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / runs;
  });
  return samples.sort((a, b) => a - b)[4] ?? 0;
}

function stream(): void {
  const channel = new PiiChannel(DEFAULT_POLICY);
  for (let at = 0; at < prose.length; at += 16) channel.push(prose.slice(at, at + 16), false);
  channel.push("", true);
}

const body = { model: "m", messages: [{ role: "user", content: prose }] };
const costs = {
  "bare loop, 2 KB of prose": [cost(() => bareLoop(prose)), 2],
  "detect, 2 KB of prose": [cost(() => detect(prose)), 2],
  "filterRequest, 2 KB of prose": [cost(() => filterRequest(body, DEFAULT_POLICY)), 2],
  "detect, 2 KB of German": [cost(() => detect(german)), 2],
  "detect, 2 KB of Russian (folded)": [cost(() => detect(russian)), 2],
  "detect, the labelled set in one text": [cost(() => detect(values)), values.length / 1024],
  "detect, the labelled set one by one": [
    cost(() => labelled.forEach((text) => void detect(text))),
    values.length / 1024,
  ],
  "PiiChannel, 2 KB of prose in 128 pieces": [cost(stream), 2],
} satisfies Record<string, [number, number]>;

const result = score();
if (process.argv.includes("--json")) {
  console.log(JSON.stringify({ ...result, costs }));
} else {
  console.log(`${result.texts} texts, ${result.negatives} of them without a value\n`);
  console.log("entity        labelled  found  wrong  precision  recall");
  for (const [entity, one] of Object.entries(result.entities)) {
    console.log(
      `${entity.padEnd(14)}${String(one.labelled).padStart(8)}${String(one.found).padStart(7)}` +
        `${String(one.wrong).padStart(7)}${one.precision.toFixed(3).padStart(11)}${one.recall.toFixed(3).padStart(8)}`,
    );
  }
  // Made values, so they may be shown.
  for (const { id, kind, entity, value } of result.mistakes)
    console.log(`${kind}: text ${id}, ${entity} ${value}`);
  console.log("\nCPU                                          µs     µs/KB");
  for (const [name, [microseconds, kilobytes]] of Object.entries(costs)) {
    const perKilobyte = (microseconds / kilobytes).toFixed(2).padStart(10);
    console.log(`${name.padEnd(40)}${microseconds.toFixed(1).padStart(8)}${perKilobyte}`);
  }
}
