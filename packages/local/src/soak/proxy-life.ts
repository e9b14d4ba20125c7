/** One life of one proxy process under the soak, with the callers' connections to it. */
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Pool } from "undici";
import type { ProcessLog } from "../process-log.ts";
import { spawnProgram } from "../supervised-process.ts";

/** A load balancer sends no more this long before a process is told to stop. */
const DEREGISTRATION_MS = 500;
/** Callers' patience: beyond everything that the proxy itself waits for. */
const PATIENCE_MS = 60_000;

export interface LifeMetrics {
  rssBytes: number;
  heapBytes: number;
  externalBytes: number;
  /** NaN where the platform does not say. */
  openFiles: number;
  handles: number;
  inFlight: number;
  spoolRecords: number;
  spoolTrouble: number;
  /** Records that found no room in the spool. */
  lost: number;
}

export class ProxyLife {
  readonly name: string;
  readonly writer: string;
  readonly pid: number;
  readonly pool: Pool;
  readonly #url: string;
  readonly #exited: Promise<unknown[]>;
  /** Requests on their way. */
  open = 0;
  #fate: "serving" | "leaving" | "gone" = "serving";
  /** Epoch ms of our kill -9. */
  killedAt: number | null = null;
  /** It was made to lose records: its spool was deleted, or had no room. Reconcile must name what is missing. */
  mayLose: "disk" | "quota" | null = null;
  /** What it did that we had not asked for. */
  complaint: string | null = null;

  private constructor(
    name: string,
    pid: number,
    fields: Record<string, unknown>,
    exited: Promise<unknown[]>,
  ) {
    this.name = name;
    this.pid = pid;
    this.writer = String(fields.writer);
    this.#url = `http://127.0.0.1:${fields.port}`;
    this.#exited = exited;
    this.pool = new Pool(this.#url, {
      connections: 256,
      pipelining: 1,
      headersTimeout: PATIENCE_MS,
      bodyTimeout: PATIENCE_MS,
    });
    exited.then(([code, signal]) => {
      if (this.#fate === "serving") this.complaint = `ended by itself: ${signal ?? `exit ${code}`}`;
      this.#fate = "gone";
    });
  }

  /** @throws Error with its last words when it ends before it listens */
  static async start(name: string, environment: Record<string, string>, log: ProcessLog): Promise<ProxyLife> {
    const file = join(import.meta.dirname, "../../../proxy/src/main.ts");
    const { child, listening } = spawnProgram({ name, file, environment, healthUrl: null }, log);
    const exited = once(child, "exit");
    return new ProxyLife(name, child.pid ?? 0, await listening, exited);
  }

  get serving(): boolean {
    return this.#fate === "serving";
  }

  async kill(): Promise<void> {
    this.killedAt = Date.now();
    this.#fate = "leaving";
    process.kill(this.pid, "SIGKILL");
    await this.#exited;
    await this.pool.destroy();
  }

  /** As a deployment does: no new requests, SIGTERM, and its time. @returns requests that were open at the SIGTERM */
  async terminate(withinMs = 45_000): Promise<number> {
    this.#fate = "leaving";
    await delay(DEREGISTRATION_MS);
    const { open } = this;
    process.kill(this.pid, "SIGTERM");
    const late = delay(withinMs, "late" as const, { ref: false });
    const ended = await Promise.race([this.#exited, late]);
    if (ended === "late") {
      this.complaint = `did not end within ${withinMs / 1000} s of SIGTERM`;
      process.kill(this.pid, "SIGKILL");
      await this.#exited;
    } else if (ended[0] !== 0) this.complaint = `ended with ${ended[1] ?? `exit ${ended[0]}`} after SIGTERM`;
    await this.pool.destroy();
    return open;
  }

  /** Null when it does not answer (it dies). */
  async metrics(): Promise<LifeMetrics | null> {
    let text: string;
    try {
      text = await (await fetch(`${this.#url}/metrics`, { signal: AbortSignal.timeout(5_000) })).text();
    } catch {
      return null;
    }
    const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1] ?? Number.NaN);
    return {
      rssBytes: value("process_resident_memory_bytes"),
      heapBytes: value("nodejs_heap_size_used_bytes"),
      externalBytes: value("nodejs_external_memory_bytes"),
      openFiles: value("process_open_fds"),
      handles: value("nodejs_active_handles_total"),
      inFlight: value("llm_requests_in_flight"),
      spoolRecords: value("audit_spool_records"),
      spoolTrouble: value("audit_spool_trouble"),
      lost: value("audit_records_lost_total"),
    };
  }
}
