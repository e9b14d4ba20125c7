/**
 * Whether the time of a refusal tells how near a guessed key was: requests with unknown keys that begin as a real one does, and with unknown
 * keys that share nothing with it, in random order, one at a time. Prints both medians, their difference, and the difference of two halves
 * of the same kind, which is what chance alone makes of it.
 */
import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { Pool } from "undici";
import { GatewayBench, MASTER_KEY } from "../packages/proxy/src/testing/gateway-bench.ts";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "3000" } } });
const rounds = Number(values.rounds);

const bench = await GatewayBench.start({ start: false });
try {
  const { url } = await bench.startProcess();
  bench.port = Number(new URL(url).port);
  const { key } = await bench.key();
  const pool = new Pool(url, { connections: 1 });
  const body = JSON.stringify({ model: "claude-3-5-sonnet", messages: [{ role: "user", content: "Hi" }] });
  const other = () => randomBytes(24).toString("base64url");
  const guesses: Record<string, () => string> = {
    "shares 20 characters with a key": () => `${key.slice(0, 20)}${other().slice(0, key.length - 20)}`,
    "shares 20 characters with the master key": () => `${MASTER_KEY.slice(0, 20)}${other().slice(0, 5)}`,
    "shares nothing": () => `sk-${other()}`,
    "shares nothing, again": () => `sk-${other()}`,
  };
  const kinds = Object.keys(guesses);
  const times: Record<string, number[]> = Object.fromEntries(kinds.map((kind) => [kind, []]));
  const refuse = async (guess: string): Promise<number> => {
    const began = performance.now();
    const answer = await pool.request({
      method: "POST",
      path: "/v1/chat/completions",
      headers: { authorization: `Bearer ${guess}`, "content-type": "application/json" },
      body,
    });
    await answer.body.dump();
    if (answer.statusCode !== 401) throw new Error(`status ${answer.statusCode}`);
    return performance.now() - began;
  };
  for (let warm = 0; warm < 300; warm++) await refuse(`sk-${other()}`);
  for (let round = 0; round < rounds; round++) {
    for (const kind of kinds.toSorted(() => Math.random() - 0.5))
      times[kind]?.push(await refuse(guesses[kind]?.() ?? ""));
  }
  await pool.close();
  const median = (list: number[]) =>
    list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? Number.NaN;
  const base = median(times["shares nothing"] ?? []);
  console.log(`${rounds} refusals of each kind, median in µs, and its difference from "shares nothing"`);
  for (const kind of kinds) {
    const its = median(times[kind] ?? []);
    console.log(
      `${kind.padEnd(44)}${(its * 1000).toFixed(1).padStart(9)}${((its - base) * 1000).toFixed(1).padStart(9)}`,
    );
  }
} finally {
  await bench.stop();
}
