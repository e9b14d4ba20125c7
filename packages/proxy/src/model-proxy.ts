/** What all requests of one proxy share: configuration, the upstream's connections, limits, capture and metrics. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { type Logger, pino } from "pino";
import { Pool } from "undici";
import { Capture } from "./capture.ts";
import type { Config } from "./config.ts";
import { drain } from "./drain.ts";
import type { Exchange } from "./exchange.ts";
import { linger } from "./linger.ts";
import { loggedError } from "./logged-error.ts";
import { Metrics } from "./metrics.ts";
import { OpenList } from "./open-list.ts";
import { BufferBudget } from "./request-body.ts";

export class ModelProxy {
  readonly config: Config;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly capture: Capture;
  readonly pool: Pool;
  readonly budget: BufferBudget;
  readonly #exchanges = new OpenList<Exchange>();
  readonly #basePath: string;
  draining = false;

  private constructor(config: Config, log: Logger, metrics: Metrics, capture: Capture) {
    this.config = config;
    this.log = log;
    this.metrics = metrics;
    this.capture = capture;
    this.budget = new BufferBudget(config.MAX_BUFFERED_BYTES);
    const upstream = new URL(config.UPSTREAM_URL);
    // Clients' paths begin with /v1; a base URL may end with it, as OpenAI's own does.
    this.#basePath = upstream.pathname.replace(/\/+$/, "").replace(/\/v1$/, "");
    this.pool = new Pool(upstream.origin, {
      connections: config.MAX_CONCURRENT_REQUESTS,
      pipelining: 1,
      connect: { timeout: config.CONNECT_TIMEOUT_MS },
      headersTimeout: config.FIRST_BYTE_TIMEOUT_MS,
      bodyTimeout: config.IDLE_TIMEOUT_MS,
      // vLLM's server (uvicorn) closes idle connections after 5 s; a request must not meet that moment.
      keepAliveTimeout: 4_000,
      maxHeaderSize: 64 * 1024,
    });
    metrics.sources.inFlight = () => this.#exchanges.size;
    metrics.sources.bufferedBytes = () => this.budget.used;
  }

  static async start(config: Config): Promise<ModelProxy> {
    const log = pino({
      level: config.LOG_LEVEL,
      base: { service: `proxy-${config.PROFILE}` },
      serializers: { err: loggedError },
    });
    const metrics = new Metrics();
    return new ModelProxy(config, log, metrics, await Capture.start(config, metrics, log));
  }

  /** More requests than the limit are refused at once: waiting ones would fill the memory. */
  get full(): boolean {
    return this.#exchanges.size > this.config.MAX_CONCURRENT_REQUESTS;
  }

  admit(exchange: Exchange): void {
    this.#exchanges.add(exchange);
  }

  leave(exchange: Exchange): void {
    this.#exchanges.delete(exchange);
  }

  upstreamPath(url: string): string {
    return this.#basePath === "" ? url : this.#basePath + url;
  }

  /** The open exchange on a connection: at most one, see server.ts. */
  exchangeOn(socket: Duplex): Exchange | null {
    for (const exchange of this.#exchanges) if (exchange.socket === socket) return exchange;
    return null;
  }

  linger(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
    linger(request, response, body);
  }

  /** Lets open requests end, for as long as is given; then ends them. Uploads what the spool holds. */
  async close(): Promise<void> {
    this.draining = true;
    await drain(this.#exchanges, this.config.DRAIN_TIMEOUT_MS, this.log);
    await this.pool.destroy();
    await this.capture.close(this.config.FLUSH_TIMEOUT_MS);
  }
}
