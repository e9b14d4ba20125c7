/**
 * The gateway in front of LiteLLM, with all that it needs on this machine. LiteLLM is the stand-in, or the real one where
 * `npm run test:litellm` has started it.
 */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { AuditRecord } from "@central-llm/core/audit-record";
import type { StoredRecord } from "./audit-trail.ts";
import { GatewayBench, MASTER_KEY } from "./gateway-bench.ts";
import { LitellmStandIn } from "./litellm-stand-in.ts";

/** The real LiteLLM, which takes any key that begins with `sk-judge-` (conformance/litellm_keys.py). */
export const JUDGE = process.env.LITELLM_JUDGE_URL ?? null;

export class LitellmBench {
  readonly bench: GatewayBench;
  readonly standIn: LitellmStandIn;
  port = 0;

  private constructor(bench: GatewayBench, standIn: LitellmStandIn) {
    this.bench = bench;
    this.standIn = standIn;
  }

  static async start(settings: Record<string, string> = {}): Promise<LitellmBench> {
    const bench = await GatewayBench.start({ start: false });
    const tables = await readFile(new URL("./litellm-database.sql", import.meta.url), "utf8");
    await bench.database.query(tables);
    const standIn = await LitellmStandIn.start(bench.databaseUrl, MASTER_KEY);
    const litellm = new LitellmBench(bench, standIn);
    litellm.port = await litellm.startGateway(settings);
    bench.port = litellm.port;
    return litellm;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  settings(more: Record<string, string> = {}): Record<string, string> {
    return { GATEWAY_ENGINE: "litellm", LITELLM_URL: JUDGE ?? this.standIn.url, ...more };
  }

  /** One more gateway. @returns its port */
  startGateway(settings: Record<string, string> = {}): Promise<number> {
    return this.bench.startGateway(this.settings(settings));
  }

  /** A key in LiteLLM's tables. */
  async key(fields: Record<string, unknown> = {}): Promise<{ key: string; token: string }> {
    const key = `sk-judge-${randomBytes(12).toString("hex")}`;
    return (await this.standIn.keys.generate({ key, ...fields })) as { key: string; token: string };
  }

  call(
    method: string,
    path: string,
    body?: unknown,
    { key = MASTER_KEY as string | null, headers = {} as Record<string, string>, port = this.port } = {},
  ): Promise<Response> {
    return this.bench.call(method, path, body, { key, headers, port });
  }

  stored(id: string): Promise<StoredRecord> {
    return this.bench.stored(id);
  }

  /** The audit record of an answer. */
  async record(answer: Response | string): Promise<AuditRecord> {
    const id = typeof answer === "string" ? answer : (answer.headers.get("x-request-id") ?? "none");
    return (await this.bench.stored(id)).record;
  }

  metric(name: string, ...labels: string[]): Promise<number> {
    return this.bench.metric(name, ...labels);
  }

  async stop(): Promise<void> {
    await this.bench.stop();
    await this.standIn.stop();
  }
}
