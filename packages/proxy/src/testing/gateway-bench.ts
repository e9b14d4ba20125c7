/** A gateway with all that it needs on this machine: PostgreSQL, S3, the Bedrock stand-in, and on demand the ingest behind them. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { AuditRecord } from "@central-llm/core/audit-record";
import * as AuditTable from "@central-llm/core/audit-table";
import { GATEWAY_NODE_OPTIONS } from "@central-llm/core/platform";
import * as RequestLookUp from "@central-llm/core/request-look-up";
import { type AuditPlatform, clientSettings, createAuditPlatform } from "@central-llm/local/audit-platform";
import { type AwsEndpoint, startAwsEndpoint } from "@central-llm/local/aws-endpoint";
import { type BedrockStandIn, startBedrockStandIn } from "@central-llm/local/bedrock-stand-in";
import { openLog } from "@central-llm/local/process-log";
import { spawnProgram } from "@central-llm/local/supervised-process";
import { lambdaProgram } from "@central-llm/local/testing/lambda-program";
import pg from "pg";
import { startGateway } from "../gateway/gateway-server.ts";
import { AuditTrail, type StoredRecord } from "./audit-trail.ts";
import { type TestPostgres, testPostgres } from "./gateway-database.ts";
import { eventually } from "./proxy-bench.ts";
import { type ProxyProcess, startProxyProcess } from "./proxy-process.ts";

export const MASTER_KEY = "sk-master-0123456789abcdef";

export interface SpendRow {
  request_id: string;
  api_key: string;
  spend: number;
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  model: string;
  model_group: string;
  call_type: string;
  status: string;
  user: string;
  team_id: string | null;
  end_user: string | null;
  metadata: Record<string, unknown>;
}

export interface GatewayBenchOptions {
  settings?: Record<string, string>;
  /** Runs the ingest function, so that records become rows. */
  ingest?: boolean;
  /** The database survives its own crash. */
  durable?: boolean;
  /** Between two events of the stand-in's streams. */
  delayMs?: number;
  /** false: no gateway yet. */
  start?: boolean;
}

export class GatewayBench {
  readonly aws: AwsEndpoint;
  readonly platform: AuditPlatform;
  readonly postgres: TestPostgres;
  readonly standIn: BedrockStandIn;
  readonly trail: AuditTrail;
  readonly database: pg.Pool;
  readonly databaseUrl: string;
  /** Holds the spools. */
  readonly folder: string;
  readonly #table: AuditTable.AuditTable;
  readonly #stops: (() => unknown)[] = [];
  port = 0;
  #gateways = 0;

  private constructor(parts: {
    aws: AwsEndpoint;
    platform: AuditPlatform;
    postgres: TestPostgres;
    standIn: BedrockStandIn;
    databaseUrl: string;
    folder: string;
  }) {
    this.aws = parts.aws;
    this.platform = parts.platform;
    this.postgres = parts.postgres;
    this.standIn = parts.standIn;
    this.databaseUrl = parts.databaseUrl;
    this.folder = parts.folder;
    this.trail = new AuditTrail(parts.aws, parts.platform.bucket);
    this.database = new pg.Pool({ connectionString: parts.databaseUrl, max: 4 });
    this.database.on("error", () => {}); // Tests that end the server ask again.
    const dynamoDb = new DynamoDBClient(clientSettings(parts.aws));
    this.#table = AuditTable.open(dynamoDb, parts.platform.tableName);
    this.#stops.push(() => dynamoDb.destroy());
  }

  static async start(options: GatewayBenchOptions = {}): Promise<GatewayBench> {
    const { ingest = false, durable = false, delayMs = 0, start = true } = options;
    const [aws, postgres, standIn, folder] = await Promise.all([
      startAwsEndpoint(),
      testPostgres({ durable }),
      startBedrockStandIn({ delayMs }),
      mkdtemp(join(tmpdir(), "gw-")),
    ]);
    const platform = await createAuditPlatform(aws);
    const databaseUrl = await postgres.emptyDatabase();
    const bench = new GatewayBench({ aws, platform, postgres, standIn, databaseUrl, folder });
    if (ingest) await bench.#startIngest();
    if (start) bench.port = await bench.startGateway(options.settings);
    return bench;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Each gateway has a spool of its own. */
  settings(more: Record<string, string> = {}): Record<string, string> {
    return {
      PROFILE: "gateway",
      HOST: "127.0.0.1",
      PORT: "0",
      DATABASE_URL: this.databaseUrl,
      LITELLM_MASTER_KEY: MASTER_KEY,
      AUDIT_BUCKET: this.platform.bucket,
      AWS_REGION: this.aws.region,
      AWS_ENDPOINT_URL: this.aws.url,
      AWS_ENDPOINT_URL_BEDROCK_RUNTIME: this.standIn.url,
      SPOOL_DIR: join(this.folder, `s${++this.#gateways}`),
      LOG_LEVEL: "silent",
      ACCESS_LOG: "off",
      DRAIN_TIMEOUT_MS: "2000",
      MODEL_RETRY_BASE_MS: "5",
      MODEL_RETRY_MAX_MS: "20",
      ...more,
    };
  }

  /** One more gateway in this process. @returns its port */
  async startGateway(settings: Record<string, string> = {}): Promise<number> {
    process.env.AWS_ACCESS_KEY_ID ??= "test";
    process.env.AWS_SECRET_ACCESS_KEY ??= "test";
    const gateway = await startGateway(this.settings(settings));
    this.#stops.push(() => gateway.close());
    return gateway.port;
  }

  /** A gateway as its own process. */
  async startProcess(settings: Record<string, string> = {}): Promise<ProxyProcess> {
    const gateway = await startProxyProcess({
      NODE_OPTIONS: GATEWAY_NODE_OPTIONS,
      ...this.settings({ LOG_LEVEL: "info", ...settings }),
    });
    this.#stops.push(() => gateway.kill("SIGKILL"));
    return gateway;
  }

  async #startIngest(): Promise<void> {
    const program = lambdaProgram(this.aws, this.platform);
    const host = spawnProgram(
      program,
      openLog(this.folder, "lambda", () => {}),
    );
    this.#stops.push(() => host.child.kill("SIGKILL"));
    await host.listening;
  }

  call(
    method: string,
    path: string,
    body?: unknown,
    { key = MASTER_KEY as string | null, headers = {} as Record<string, string>, port = this.port } = {},
  ): Promise<Response> {
    return fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: {
        "content-type": "application/json",
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
  }

  /** Makes a key through the admin API. */
  async key(fields: Record<string, unknown> = {}, port = this.port): Promise<{ key: string; token: string }> {
    const response = await this.call("POST", "/key/generate", fields, { port });
    if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
    return (await response.json()) as { key: string; token: string };
  }

  /** The audit object of that name, once S3 has it, checked against the contract. */
  async stored(id: string, timeoutMs = 60_000): Promise<StoredRecord> {
    let key: string | undefined;
    await eventually(
      async () => {
        key = (await this.trail.keys()).find((one) => one.endsWith(`/${id}.json`));
        return key !== undefined;
      },
      `the audit object ${id}`,
      { timeoutMs },
    );
    return this.trail.read(key ?? "");
  }

  async record(id: string | null): Promise<AuditRecord> {
    return (await this.stored(id ?? "none")).record;
  }

  /** The request's row in DynamoDB, once ingest has written it. */
  async row(id: string): Promise<AuditTable.Item> {
    let found: AuditTable.Item | undefined;
    await eventually(async () => {
      [found] = await RequestLookUp.find(this.#table, id);
      return found !== undefined;
    }, `the row of ${id}`);
    return found as AuditTable.Item;
  }

  /** The request's spend row, by the audit object's name. */
  async spend(id: string): Promise<SpendRow> {
    let found: SpendRow | undefined;
    await eventually(async () => {
      const text = `SELECT * FROM "LiteLLM_SpendLogs" WHERE metadata ->> 'audit_request_id' = $1`;
      found = (await this.database.query(text, [id])).rows[0];
      return found !== undefined;
    }, `the spend row of ${id}`);
    return found as SpendRow;
  }

  async metric(name: string, ...labels: string[]): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    return text
      .split("\n")
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .filter((line) => labels.every((label) => line.includes(label)))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops.toReversed()) await stop();
    await this.standIn.stop();
    await this.aws.stop();
    await this.database.end();
    await this.postgres.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
