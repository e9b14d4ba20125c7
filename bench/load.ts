/** Drives a contestant with the load generator and reads the CPU that it spends meanwhile. */
import { hash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { coreTime, foreignShare } from "./core-time.ts";
import { CACHE, nativeProgram } from "./native-program.ts";
import { CORE, nextLine, pinned } from "./pinned-process.ts";
import { since, type ThreadCpu, threadCpu, threadsOf } from "./thread-cpu.ts";

export interface Load {
  connections: number;
  /** Requests a second, open loop; 0: each connection sends as fast as it is answered. */
  rate: number;
  warmSeconds: number;
  seconds: number;
}

/** Times in microseconds. `chunks`, `firstChunk…` and `transit…` are 0 but for streams. */
export interface Measured {
  seconds: number;
  requests: number;
  chunks: number;
  p50: number;
  p99: number;
  firstChunkP50: number;
  firstChunkP99: number;
  transitP50: number;
  /** Connections lost with a request on them; answers other than 200; requests that fell due and found no connection. */
  failures: number;
  refused: number;
  unsent: number;
  cpu: ThreadCpu;
  /** Objects that S3 took meanwhile. */
  uploads: number;
  /** Microseconds of CPU of each companion. */
  farCpu: number[];
  /** Of the busier core, what went to processes that are none of this run's. */
  foreign: number;
}

const PROMPT =
  "Summarise the quarterly figures for the board: revenue, costs, head count and what changed since. ";

/** A chat completion of 2,048 bytes, as a request on the wire; `extra` are header lines. */
export function chatRequest(stream: boolean, extra: readonly string[] = []): Buffer {
  const body = (content: string) =>
    JSON.stringify({
      model: "stub-1",
      temperature: 0.2,
      max_tokens: 512,
      // Compact, as clients send it: the stub looks for this text.
      stream,
      messages: [
        { role: "system", content: "You are a careful analyst. Answer in plain English." },
        { role: "user", content },
      ],
    });
  const json = body(PROMPT.repeat(30).slice(0, 2048 - body("").length));
  return Buffer.from(
    [
      "POST /v1/chat/completions HTTP/1.1",
      "Host: 127.0.0.1",
      "Content-Type: application/json",
      "Accept: application/json",
      "User-Agent: central-llm-bench",
      "Authorization: Bearer sk-test-0123456789abcdef0123456789abcdef",
      "x-llm-source: bench",
      "x-llm-user: load",
      "x-llm-request-type: chat",
      ...extra,
      `Content-Length: ${Buffer.byteLength(json)}`,
      "",
      json,
    ].join("\r\n"),
  );
}

/**
 * @param target `request` is one on the wire, or `requests` of the same length one after the other, sent in turn
 * @param companions process ids of the far side
 * @param uploads reads how many objects S3 has taken so far
 */
export async function drive(
  target: { port: number; pid: number | null; request: Buffer; requests?: number },
  load: Load,
  companions: readonly number[],
  uploads: () => Promise<number> = async () => 0,
): Promise<Measured> {
  const file = `${CACHE}request-${hash("sha256", target.request, "hex").slice(0, 12)}`;
  writeFileSync(file, target.request);
  const { port, pid } = target;
  const { connections, rate, warmSeconds, seconds } = load;
  const generator = pinned("load", CORE.rest, [
    nativeProgram("load"),
    ...[port, connections, rate, warmSeconds, seconds].map(String),
    file,
    String(target.requests ?? 1),
  ]);
  await nextLine(generator, "The load generator"); // "measuring"
  const ours = [pid === null ? [] : [pid], [generator.pid, process.pid, ...companions]];
  const cpu = () => (pid === null ? { main: 0, pool: 0, engine: 0, uploader: 0 } : threadCpu(pid));
  const far = () =>
    companions.map((one) => threadsOf(one).reduce((sum, { microseconds }) => sum + microseconds, 0));
  const [before, coresBefore, farBefore, uploadsBefore] = [cpu(), coreTime(ours), far(), await uploads()];
  const line = await nextLine(generator, "The load generator");
  const [after, coresAfter, farAfter, uploadsAfter] = [cpu(), coreTime(ours), far(), await uploads()];
  const farCpu = farAfter.map((time, at) => time - (farBefore[at] ?? 0));
  const measured = JSON.parse(line) as Omit<Measured, "cpu" | "uploads" | "farCpu" | "foreign">;
  const foreign = foreignShare(
    coresBefore,
    coresAfter,
    pid === null ? [CORE.rest] : [CORE.underTest, CORE.rest],
  );
  return { ...measured, cpu: since(before, after), uploads: uploadsAfter - uploadsBefore, farCpu, foreign };
}
