/** What all requests of a gateway in front of LiteLLM share: configuration, LiteLLM's connections, owners of keys, filter, capture. */
import type { Duplex } from "node:stream";
import { type Logger, pino } from "pino";
import { Pool } from "undici";
import { Capture } from "../capture.ts";
import { drain } from "../drain.ts";
import { type Database, openDatabase } from "../gateway/database.ts";
import type { GatewayExchange } from "../gateway/gateway.ts";
import type { GatewayConfig } from "../gateway/gateway-config.ts";
import { GatewayMetrics } from "../gateway/gateway-metrics.ts";
import { PiiGuard } from "../gateway/pii-guard.ts";
import { loggedError } from "../logged-error.ts";
import { Metrics } from "../metrics.ts";
import { OpenList } from "../open-list.ts";
import { BufferBudget } from "../request-body.ts";
import { KeyOwners } from "./key-owners.ts";
import { LitellmMetrics } from "./litellm-metrics.ts";

export class LitellmGateway {
  readonly config: GatewayConfig;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly counts: GatewayMetrics;
  readonly own: LitellmMetrics;
  readonly capture: Capture;
  readonly budget: BufferBudget;
  readonly guard: PiiGuard;
  readonly owners: KeyOwners;
  readonly pool: Pool;
  readonly #basePath: string;
  readonly #database: Database;
  readonly #exchanges = new OpenList<GatewayExchange>();
  draining = false;

  private constructor(config: GatewayConfig, log: Logger, metrics: Metrics, capture: Capture) {
    this.config = config;
    this.log = log;
    this.metrics = metrics;
    this.capture = capture;
    this.budget = new BufferBudget(config.MAX_BUFFERED_BYTES);
    // Nothing is settled here: LiteLLM books.
    this.counts = new GatewayMetrics(metrics, () => 0);
    this.own = new LitellmMetrics(metrics);
    this.guard = new PiiGuard({
      platform: config.PII_POLICY,
      guardrail: config.guardrail,
      region: config.AWS_REGION,
      endpoint: config.AWS_ENDPOINT_URL_BEDROCK_RUNTIME,
    });
    const onEnded = (error: Error) => log.warn({ err: error }, "A database connection ended");
    // The schema is LiteLLM's: the server itself refuses whatever would write.
    this.#database = openDatabase(config, onEnded, { default_transaction_read_only: "on" });
    this.owners = new KeyOwners(this.#database, (error) => {
      log.error({ err: error }, "The owners of keys cannot be read; calls go on under the keys' hashes");
    });
    const upstream = new URL(config.LITELLM_URL ?? "");
    this.#basePath = upstream.pathname.replace(/\/+$/, "");
    this.pool = new Pool(upstream.origin, {
      connections: config.MAX_CONCURRENT_REQUESTS,
      pipelining: 1,
      connect: { timeout: config.CONNECT_TIMEOUT_MS },
      headersTimeout: config.FIRST_BYTE_TIMEOUT_MS,
      bodyTimeout: config.IDLE_TIMEOUT_MS,
      // LiteLLM's server (uvicorn) closes idle connections after 5 s; a request must not meet that moment.
      keepAliveTimeout: 4_000,
      maxHeaderSize: 64 * 1024,
    });
    metrics.sources.inFlight = () => this.#exchanges.size;
    metrics.sources.bufferedBytes = () => this.budget.used;
  }

  /** Neither LiteLLM nor the database need be there yet; the database is never migrated. */
  static async start(config: GatewayConfig): Promise<LitellmGateway> {
    const log = pino({
      level: config.LOG_LEVEL,
      base: { service: `proxy-${config.PROFILE}` },
      serializers: { err: loggedError },
    });
    const metrics = new Metrics();
    const capture = await Capture.start(config, metrics, log);
    return new LitellmGateway(config, log, metrics, capture);
  }

  get full(): boolean {
    return this.#exchanges.size > this.config.MAX_CONCURRENT_REQUESTS;
  }

  enter(exchange: GatewayExchange): void {
    this.#exchanges.add(exchange);
  }

  leave(exchange: GatewayExchange): void {
    this.#exchanges.delete(exchange);
  }

  exchangeOn(socket: Duplex): GatewayExchange | null {
    for (const exchange of this.#exchanges) if (exchange.socket === socket) return exchange;
    return null;
  }

  /** @param url path and query as the client wrote them */
  litellmPath(url: string): string {
    return this.#basePath + url;
  }

  /** Whether LiteLLM says that it is ready; asked with a short patience. */
  async litellmAnswers(): Promise<boolean> {
    try {
      const { statusCode, body } = await this.pool.request({
        method: "GET",
        path: this.litellmPath("/health/readiness"),
        signal: AbortSignal.timeout(READY_PATIENCE_MS),
      });
      await body.dump();
      return statusCode === 200;
    } catch {
      return false; // Whatever is wrong with it: it is not ready.
    }
  }

  /** Lets open requests end, for as long as is given; then ends them. Uploads what is left. */
  async close(): Promise<void> {
    this.draining = true;
    const { DRAIN_TIMEOUT_MS, FLUSH_TIMEOUT_MS } = this.config;
    await drain(this.#exchanges, DRAIN_TIMEOUT_MS, this.log);
    await this.pool.destroy();
    this.guard.destroy();
    await this.capture.close(FLUSH_TIMEOUT_MS);
    await this.#database.close();
  }
}

const READY_PATIENCE_MS = 2_000;
