/** A proxy with all that it needs on this machine: the embedded S3, a scripted upstream, and the audit trail to look at. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AuditPlatform, createAuditPlatform } from "@central-llm/local/audit-platform";
import { type AwsEndpoint, startAwsEndpoint } from "@central-llm/local/aws-endpoint";
import { startProxy } from "../server.ts";
import { AuditTrail, type StoredRecord } from "./audit-trail.ts";
import { type ProxyProcess, startProxyProcess } from "./proxy-process.ts";
import { RawClient } from "./raw-client.ts";
import { ScriptedUpstream } from "./scripted-upstream.ts";

export const HEADERS = {
  "content-type": "application/json",
  "x-llm-source": "hazards",
  "x-llm-user": "qa",
  "x-llm-request-type": "chat",
};

export class ProxyBench {
  readonly aws: AwsEndpoint;
  readonly platform: AuditPlatform;
  readonly upstream: ScriptedUpstream;
  readonly trail: AuditTrail;
  readonly #spool: string;
  readonly #stops: (() => Promise<unknown>)[] = [];
  port = 0;
  #ids = 0;

  private constructor(aws: AwsEndpoint, platform: AuditPlatform, upstream: ScriptedUpstream, spool: string) {
    this.aws = aws;
    this.platform = platform;
    this.upstream = upstream;
    this.trail = new AuditTrail(aws, platform.bucket);
    this.#spool = spool;
  }

  /** Everything but a proxy. */
  static async prepare(): Promise<ProxyBench> {
    const aws = await startAwsEndpoint();
    const platform = await createAuditPlatform(aws);
    const spool = await mkdtemp(join(tmpdir(), "spool-"));
    return new ProxyBench(aws, platform, await ScriptedUpstream.start(), spool);
  }

  /** With a proxy in this process. */
  static async start(settings: Record<string, string> = {}): Promise<ProxyBench> {
    const bench = await ProxyBench.prepare();
    bench.port = await bench.startProxy(settings);
    return bench;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get settings(): Record<string, string> {
    return {
      HOST: "127.0.0.1",
      PORT: "0",
      UPSTREAM_URL: this.upstream.url,
      AUDIT_BUCKET: this.platform.bucket,
      AWS_REGION: this.aws.region,
      AWS_ENDPOINT_URL: this.aws.url,
      SPOOL_DIR: this.#spool,
      LOG_LEVEL: "silent",
      DRAIN_TIMEOUT_MS: "2000",
    };
  }

  /** One more proxy in this process. @returns its port */
  async startProxy(settings: Record<string, string> = {}): Promise<number> {
    process.env.AWS_ACCESS_KEY_ID ??= "test";
    process.env.AWS_SECRET_ACCESS_KEY ??= "test";
    const proxy = await startProxy({ ...this.settings, ...settings });
    this.#stops.push(() => proxy.close());
    return proxy.port;
  }

  /** A proxy as its own process. */
  async startProcess(settings: Record<string, string> = {}): Promise<ProxyProcess> {
    const proxy = await startProxyProcess({ ...this.settings, LOG_LEVEL: "info", ...settings });
    this.#stops.push(() => proxy.kill("SIGKILL"));
    this.port = Number(new URL(proxy.url).port);
    return proxy;
  }

  connect(options: { allowHalfOpen?: boolean } = {}): Promise<RawClient> {
    return RawClient.connect(this.port, options);
  }

  /** An id that no other request of this bench has. */
  newId(): string {
    return `call-${++this.#ids}`;
  }

  post(
    body: unknown,
    init: { path?: string; headers?: Record<string, string>; signal?: AbortSignal } = {},
  ): Promise<Response> {
    return fetch(`${this.url}${init.path ?? "/v1/chat/completions"}`, {
      method: "POST",
      headers: { ...HEADERS, ...init.headers },
      body:
        typeof body === "string" || body instanceof Uint8Array || body instanceof FormData
          ? (body as string)
          : JSON.stringify(body),
      ...(init.signal ? { signal: init.signal } : {}),
    });
  }

  /** The audit object of that name, once S3 has it, checked against the contract. */
  async stored(id: string, timeoutMs = 60_000): Promise<StoredRecord> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const key = (await this.trail.keys()).find((one) => one.endsWith(`/${id}.json`));
      if (key !== undefined) return this.trail.read(key);
      if (Date.now() > deadline) throw new Error(`No audit object ${id} in ${timeoutMs} ms`);
      await new Promise((resume) => setTimeout(resume, 10));
    }
  }

  async record(id: string) {
    return (await this.stored(id)).record;
  }

  /** Sum over a metric's series whose text holds all of `labels`. */
  async metric(name: string, ...labels: string[]): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    let sum = 0;
    for (const line of text.split("\n")) {
      if (!line.startsWith(`${name}{`) && !line.startsWith(`${name} `)) continue;
      if (labels.every((label) => line.includes(label))) sum += Number(line.slice(line.lastIndexOf(" ")));
    }
    return sum;
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops) await stop();
    await this.upstream.stop();
    await this.aws.stop();
    await rm(this.#spool, { recursive: true, force: true });
  }
}

/** Waits for something to become true. @throws Error after the time */
export async function eventually(
  holds: () => boolean | Promise<boolean>,
  what: string,
  { timeoutMs = 60_000, everyMs = 10 } = {},
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`Not in ${timeoutMs} ms: ${what}`);
    await new Promise((resume) => setTimeout(resume, everyMs));
  }
}
