/** What all requests of one gateway share: configuration, database, ledger, models, filter, capture and metrics. */
import type { Duplex } from "node:stream";
import type { ApiError } from "@central-llm/core/api-error";
import { type Logger, pino } from "pino";
import { Capture } from "../capture.ts";
import { drain } from "../drain.ts";
import { loggedError } from "../logged-error.ts";
import { Metrics } from "../metrics.ts";
import { type Openable, OpenList } from "../open-list.ts";
import { BufferBudget } from "../request-body.ts";
import { type AdminApi, createAdminApi } from "./admin-api.ts";
import type { Reservation } from "./admission.ts";
import { LatelyAdmitted } from "./anticipation.ts";
import { BEDROCK_DEFAULTS, BedrockClient } from "./bedrock-client.ts";
import { CompatibleClient } from "./compatible-client.ts";
import { CostFiles } from "./cost-files.ts";
import { type Database, openDatabase } from "./database.ts";
import type { GatewayConfig } from "./gateway-config.ts";
import { GatewayMetrics } from "./gateway-metrics.ts";
import { modelEntries } from "./gateway-models.ts";
import { KeyAliases } from "./key-aliases.ts";
import { type Ledger, openLedger } from "./ledger.ts";
import { migrate } from "./migrate.ts";
import { PendingReleases } from "./pending-releases.ts";
import { PiiGuard } from "./pii-guard.ts";
import type { Usage } from "./settlement.ts";

/** A request that is being handled. */
export interface GatewayExchange extends Openable {
  readonly socket: Duplex;
  malformed(error: ApiError): void;
  /** Ends it because the process must stop. */
  interrupt(): void;
}

interface Parts {
  log: Logger;
  metrics: Metrics;
  capture: Capture;
  database: Database;
}

export class Gateway {
  readonly config: GatewayConfig;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly counts: GatewayMetrics;
  readonly capture: Capture;
  readonly budget: BufferBudget;
  readonly ledger: Ledger;
  readonly guard: PiiGuard;
  readonly bedrock: BedrockClient;
  readonly compatible: CompatibleClient;
  readonly admin: AdminApi;
  readonly aliases = new KeyAliases();
  readonly lately = new LatelyAdmitted();
  readonly pending = new PendingReleases(() => this.ledger.hurry());
  readonly #database: Database;
  readonly #costFiles: CostFiles | null;
  readonly #exchanges = new OpenList<GatewayExchange>();
  draining = false;

  private constructor(config: GatewayConfig, { log, metrics, capture, database }: Parts) {
    this.config = config;
    this.log = log;
    this.metrics = metrics;
    this.capture = capture;
    this.#database = database;
    this.budget = new BufferBudget(config.MAX_BUFFERED_BYTES);
    const onError = (error: unknown) => log.error({ err: error }, "The database failed");
    this.ledger = openLedger(database, config, onError);
    this.counts = new GatewayMetrics(metrics, () => this.ledger.pendingSettlements());
    const endpoint = config.AWS_ENDPOINT_URL_BEDROCK_RUNTIME;
    this.guard = new PiiGuard({
      platform: config.PII_POLICY,
      guardrail: config.guardrail,
      region: config.AWS_REGION,
      endpoint,
    });
    this.compatible = new CompatibleClient({
      ...config.patience,
      keys: config.upstreamKeys,
      maxConnections: config.UPSTREAM_CONNECTIONS,
      maxAnswerBytes: config.MAX_BUFFERED_BYTES,
      budget: this.budget,
    });
    this.bedrock = new BedrockClient({
      ...BEDROCK_DEFAULTS,
      ...config.patience,
      transport: config.BEDROCK_TRANSPORT,
      maxConnections: config.BEDROCK_CONNECTIONS,
      ...(endpoint === undefined ? {} : { endpoint }),
    });
    this.admin = createAdminApi({
      database,
      masterKey: config.LITELLM_MASTER_KEY,
      tiers: config.KEY_TIERS,
      models: () => modelEntries(config.models),
      // Each call brings its own (admin-exchange.ts): an action outside of one would go unaudited.
      onAdminAction: () => Promise.reject(new Error("an action outside of a request")),
      onDenied: ({ reason }) => this.counts.denied.inc({ reason }),
      onError: (error) => log.error({ err: error }, "An admin request failed"),
    });
    const { COST_TRACKING_BUCKET: bucket, COST_FILE_EVERY_MS: everyMs, AWS_REGION: region } = config;
    const costs = { database, everyMs, region, endpoint: config.s3Endpoint, log };
    this.#costFiles = bucket === undefined ? null : new CostFiles({ ...costs, bucket });
    this.#costFiles?.start();
    metrics.sources.inFlight = () => this.#exchanges.size;
    metrics.sources.bufferedBytes = () => this.budget.used;
  }

  /** Brings the database up to date before it begins. @throws Error when there is none, or it cannot be used */
  static async start(config: GatewayConfig): Promise<Gateway> {
    const log = pino({
      level: config.LOG_LEVEL,
      base: { service: `proxy-${config.PROFILE}` },
      serializers: { err: loggedError },
    });
    const database = openDatabase(config, (error) => log.warn({ err: error }, "A database connection ended"));
    try {
      const migrated = await migrate(database);
      await database.warm();
      log.info(migrated, "The database is ready");
      const metrics = new Metrics();
      const capture = await Capture.start(config, metrics, log);
      return new Gateway(config, { log, metrics, capture, database });
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  /** More requests than the limit are refused at once: waiting ones would fill the memory. */
  get full(): boolean {
    return this.#exchanges.size > this.config.MAX_CONCURRENT_REQUESTS;
  }

  enter(exchange: GatewayExchange): void {
    this.#exchanges.add(exchange);
  }

  leave(exchange: GatewayExchange): void {
    this.#exchanges.delete(exchange);
  }

  /** The open exchange on a connection: at most one, see http-listener.ts. */
  exchangeOn(socket: Duplex): GatewayExchange | null {
    for (const exchange of this.#exchanges) if (exchange.socket === socket) return exchange;
    return null;
  }

  /** A request that was admitted and never came to a model. */
  release(reservation: Reservation): void {
    const released = this.ledger.release(reservation).catch((error: unknown) => {
      this.log.warn({ err: error }, "A reservation could not be given back; its lease will");
    });
    if (reservation.id !== null) this.pending.add(reservation, released);
  }

  /** What a request used. Nobody waits for it; it is tried until the database takes it. */
  settle(reservation: Reservation, usage: Usage): void {
    const settled = this.ledger.settle(reservation, usage).catch((error: unknown) => {
      this.counts.unbooked.inc();
      this.log.error({ requestId: usage.requestId, err: error }, "A request could not be booked");
    });
    if (reservation.id !== null) this.pending.add(reservation, settled);
  }

  async databaseAnswers(): Promise<boolean> {
    return this.#database.pool.query("SELECT 1").then(
      () => true,
      () => false,
    );
  }

  /** Lets open requests end, for as long as is given; then ends them. Books and uploads what is left. */
  async close(): Promise<void> {
    this.draining = true;
    const { DRAIN_TIMEOUT_MS, FLUSH_TIMEOUT_MS } = this.config;
    await drain(this.#exchanges, DRAIN_TIMEOUT_MS, this.log);
    // Together: a database that is away must not take the time from the objects, which go to S3.
    const [unbooked] = await Promise.all([
      this.ledger.close(FLUSH_TIMEOUT_MS),
      this.capture.close(FLUSH_TIMEOUT_MS),
      this.#costFiles?.stop(),
      this.admin.close(),
    ]);
    if (unbooked > 0) this.log.error({ unbooked }, "Spend could not be booked; the audit records have it");
    this.bedrock.destroy();
    this.compatible.destroy();
    this.guard.destroy();
    await this.#database.close();
  }
}
