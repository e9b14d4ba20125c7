/** Everything that a soak runs: the AWS endpoint, the demo model, the Lambda host and two proxies, each a process of its own. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { S3Client } from "@aws-sdk/client-s3";
import { SQSClient } from "@aws-sdk/client-sqs";
import * as Platform from "@central-llm/core/platform";
import { CREDENTIALS, clientSettings } from "../audit-platform.ts";
import { REGION } from "../aws-endpoint.ts";
import { openLog, type ProcessLog } from "../process-log.ts";
import { childrenOf, descendantsOf, processes, signalled } from "../process-tree.ts";
import { AwsTroubles, type Trouble } from "./aws-troubles.ts";
import { ProxyFleet } from "./proxy-fleet.ts";
import { untilUp } from "./restart.ts";
import { end, type RunningProgram, run } from "./running-program.ts";
import { SpoolDisk } from "./spool-disk.ts";

const CLIENT_TIMEOUT_MS = 30_000;

export class Stage {
  readonly folder: string;
  readonly disk: SpoolDisk;
  readonly s3: S3Client;
  readonly sqs: SQSClient;
  readonly dynamoDb: DynamoDBClient;
  readonly awsUrl: string;
  readonly fleet: ProxyFleet;
  readonly #logs: ProcessLog[];
  readonly #aws: RunningProgram;
  readonly #model: RunningProgram;
  readonly #retryAfter: number;
  readonly #lambdaLog: ProcessLog;
  #lambda: RunningProgram | null = null;
  readonly #troubles: AwsTroubles;
  /** Every process that was seen, to be looked for at the end. */
  readonly #seen = new Map<number, string>();
  #stopped: Promise<void> | null = null;

  private constructor(parts: {
    folder: string;
    disk: SpoolDisk;
    logs: ProcessLog[];
    aws: RunningProgram;
    model: RunningProgram;
    retryAfter: number;
  }) {
    this.folder = parts.folder;
    this.disk = parts.disk;
    this.#logs = parts.logs;
    this.#aws = parts.aws;
    this.#troubles = new AwsTroubles(parts.aws.child);
    this.#model = parts.model;
    this.#retryAfter = parts.retryAfter;
    this.#lambdaLog = this.#log("lambda");
    this.awsUrl = `http://127.0.0.1:${parts.aws.port}`;
    // Where S3 hangs, it hangs for the faults too, which must end.
    const requestHandler = { requestTimeout: CLIENT_TIMEOUT_MS, throwOnRequestTimeout: true };
    const client = { ...clientSettings({ url: this.awsUrl, region: REGION }), requestHandler };
    [this.s3, this.sqs, this.dynamoDb] = [
      new S3Client(client),
      new SQSClient(client),
      new DynamoDBClient(client),
    ];
    this.fleet = new ProxyFleet({
      folder: parts.folder,
      log: this.#log("proxy"),
      environment: {
        ...this.#awsVariables(),
        UPSTREAM_URL: `http://127.0.0.1:${parts.model.port}`,
        SPOOL_DIR: parts.disk.path,
      },
    });
  }

  /** @param retryAfter seconds after which a failed message comes to ingest again */
  static async start(folder: string, retryAfter: number): Promise<Stage> {
    const logs = join(folder, "logs");
    mkdirSync(logs, { recursive: true });
    const opened = ["aws", "model"].map((name) => openLog(logs, name, () => {}));
    const [aws, model] = await Promise.all(
      ["aws-main.ts", "demo-model-main.ts"].map((file, at) =>
        run(file, { PORT: "0" }, opened[at] as ProcessLog),
      ),
    );
    const disk = SpoolDisk.mount(join(folder, "spool"));
    const stage = new Stage({
      folder,
      disk,
      logs: opened,
      aws: aws as RunningProgram,
      model: model as RunningProgram,
      retryAfter,
    });
    try {
      await stage.trouble("aws", {});
      await Promise.all([stage.startLambda(), stage.fleet.start()]);
      return stage;
    } catch (error) {
      await stage.stop();
      throw error;
    }
  }

  #log(name: string): ProcessLog {
    const log = openLog(join(this.folder, "logs"), name, () => {});
    this.#logs.push(log);
    return log;
  }

  #awsVariables(): Record<string, string> {
    return {
      AWS_ENDPOINT_URL: this.awsUrl,
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    };
  }

  /** What goes wrong at AWS under this name, in place of what was under it. */
  trouble(name: string, trouble: Trouble): Promise<void> {
    return this.#troubles.set(name, trouble);
  }

  queueUrl(name: string): string {
    return `${this.awsUrl}/000000000000/${name}`;
  }

  async startLambda(): Promise<void> {
    const environment = {
      ...this.#awsVariables(),
      AUDIT_BUCKET: Platform.AUDIT_BUCKET,
      AUDIT_PREFIX: Platform.AUDIT_PREFIX,
      TABLE_NAME: Platform.TABLE_NAME,
      INGEST_QUEUE_URL: this.queueUrl(Platform.INGEST_QUEUE),
      AUDIT_DLQ_URL: this.queueUrl(Platform.DEAD_LETTER_QUEUE),
      EXPORT_QUEUE_URL: this.queueUrl(Platform.EXPORT_QUEUE),
      EXPORT_BUCKET: Platform.EXPORT_BUCKET,
      RETRY_AFTER: String(this.#retryAfter),
    };
    this.#lambda = await untilUp(() => run("lambda-main.ts", environment, this.#lambdaLog));
  }

  /** kill -9 of every process of the ingest function. @returns how many */
  async killIngest(): Promise<number> {
    const instances = await childrenOf(this.#lambda?.child.pid ?? 0);
    return instances.filter((pid) => signalled(pid, "SIGKILL")).length;
  }

  /** kill -9 of the function's host: what it had received comes back when its visibility ends. */
  async killLambdaHost(): Promise<void> {
    if (this.#lambda) await end(this.#lambda, "SIGKILL");
  }

  /** The upstream stands still. */
  stopModel(): void {
    this.#model.child.kill("SIGSTOP");
  }

  continueModel(): void {
    this.#model.child.kill("SIGCONT");
  }

  /** Takes note of the processes there are; those that `leftOver` finds alive later were forgotten. */
  async look(): Promise<void> {
    for (const { pid, started } of await descendantsOf(process.pid)) this.#seen.set(pid, started);
  }

  async leftOver(): Promise<number[]> {
    const alive = await processes();
    return alive.filter(({ pid, started }) => this.#seen.get(pid) === started).map(({ pid }) => pid);
  }

  async stopLambda(): Promise<void> {
    if (this.#lambda) await end(this.#lambda, "SIGTERM");
    this.#lambda = null;
  }

  /** Ends what still runs; the second call does nothing. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    await this.fleet.kill();
    await this.stopLambda();
    this.continueModel();
    await Promise.all([end(this.#model, "SIGTERM"), end(this.#aws, "SIGTERM")]);
    for (const client of [this.s3, this.sqs, this.dynamoDb]) client.destroy();
    for (const log of this.#logs) await log.close();
    this.disk.unmount();
  }
}
