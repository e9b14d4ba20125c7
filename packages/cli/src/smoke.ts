/** `central-llm smoke`: seed 002 §10's validation checklist against a platform, a line each. */
import { HeadObjectCommand } from "@aws-sdk/client-s3";
import { objectKey } from "@central-llm/core/audit-key";
import { REQUIRED_HEADERS } from "@central-llm/core/platform";
import { requestIdTime } from "@central-llm/core/request-id";
import * as RequestLookUp from "@central-llm/core/request-look-up";
import { Command } from "commander";
import * as Argument from "./argument.ts";
import { withConnection } from "./command.ts";
import type { Connection } from "./connection.ts";
import { deployedStage } from "./deployed-stage.ts";
import { EXIT, Failure } from "./failure.ts";
import { eventually } from "./patience.ts";

interface Options {
  stage: string;
  url?: string;
  model: string;
  timeout: number;
}

/** What a step found, or null when it does not apply here. A throw is a failure. */
type Step = [name: string, run: () => Promise<string | null>];

const CALLER = { "x-llm-source": "smoke-test", "x-llm-user": "qa", "x-llm-request-type": "chat" };
const CALL_TIMEOUT_MS = 120_000;

export function smokeCommand(): Command {
  return new Command("smoke")
    .summary("run the validation checklist end to end")
    .description(
      "Calls the model through API Gateway and follows that one request into S3, the table, the logs and ECS. " +
        "The key comes from CENTRAL_API_KEY, the address from CENTRAL_URL or --url. Ends with 1 when a step fails.",
    )
    .option("-s, --stage <stage>", "of this stage on AWS", "prod")
    .option("--url <url>", "of the API, with its stage: https://….amazonaws.com/prod")
    .option("--model <name>", "to call", "ministral-8b-instruct")
    .option("--timeout <duration>", "wait for object and row", Argument.duration, Argument.duration("60s"))
    .addHelpText(
      "after",
      "\nExamples:\n  central-llm smoke\n  CENTRAL_API_KEY=… central-llm --aws smoke --url https://….amazonaws.com/prod\n",
    )
    .action(withConnection(smoke));
}

async function smoke(connection: Connection, options: Options): Promise<void> {
  const base = options.url ?? connection.settings.CENTRAL_URL;
  const key = connection.settings.CENTRAL_API_KEY ?? process.env.CENTRAL_API_KEY;
  if (!base || !key) throw new Failure(EXIT.usage, "Set CENTRAL_URL (or --url) and CENTRAL_API_KEY.");
  const failed: string[] = [];
  for (const [name, run] of steps(connection, options, base.replace(/\/$/, ""), key)) {
    const { mark, detail } = await outcome(run);
    if (mark === "FAIL") failed.push(name);
    process.stdout.write(`${mark}  ${name}  ${detail}\n`);
  }
  if (failed.length > 0)
    throw new Failure(EXIT.failed, `${failed.length} steps failed: ${failed.join(", ")}.`);
}

async function outcome(run: () => Promise<string | null>) {
  try {
    const detail = await run();
    return detail === null ? { mark: "SKIP", detail: "not on the local platform" } : { mark: "PASS", detail };
  } catch (error) {
    return { mark: "FAIL", detail: error instanceof Error ? error.message : String(error) };
  }
}

function steps(connection: Connection, options: Options, base: string, key: string): Step[] {
  const { settings } = connection;
  const local = settings.AWS_ENDPOINT_URL !== undefined;
  const stage = deployedStage(options.stage);
  const started = Date.now();
  let requestId = "";
  const call = (headers: Record<string, string>) =>
    fetch(`${base}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": key, ...headers },
      body: JSON.stringify({
        model: options.model,
        messages: [{ role: "user", content: "ping" }],
        max_tokens: 16,
      }),
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
    });
  const followed = () => {
    if (!requestId) throw new Error("there is no request to follow");
    return requestId;
  };
  return [
    [
      "API call",
      async () => {
        const answer = await call(CALLER);
        const body = await answer.text();
        if (answer.status !== 200) throw new Error(`answered ${answer.status}: ${body.slice(0, 200)}`);
        requestId = answer.headers.get("x-request-id") ?? "";
        if (!requestId) throw new Error("the answer has no x-request-id");
        return requestId;
      },
    ],
    [
      "missing headers are refused",
      () => expectStatus(400, call({}), `without ${REQUIRED_HEADERS.join(", ")}`),
    ],
    [
      "wrong key is refused",
      () => expectStatus(403, call({ ...CALLER, "x-api-key": "wrong" }), "with another key"),
    ],
    [
      "S3 audit object",
      async () => {
        const time = requestIdTime(followed());
        const Key = objectKey(settings.AUDIT_PREFIX, time ?? started, requestId);
        await eventually(options.timeout, `no s3://${settings.AUDIT_BUCKET}/${Key}`, () =>
          connection.s3.send(new HeadObjectCommand({ Bucket: settings.AUDIT_BUCKET, Key })).then(
            () => true,
            (error: Error) => (error.name === "NotFound" ? false : Promise.reject(error)),
          ),
        );
        return `s3://${settings.AUDIT_BUCKET}/${Key}`;
      },
    ],
    [
      "DynamoDB row",
      async () => {
        const id = followed();
        await eventually(options.timeout, `no row of ${id} in ${settings.TABLE_NAME}`, async () => {
          const rows = await RequestLookUp.find(connection.table, id);
          return rows.some((row) => row.projectId === CALLER["x-llm-source"]);
        });
        return `project#${CALLER["x-llm-source"]} in ${settings.TABLE_NAME}`;
      },
    ],
    ["Lambda logs", async () => (local ? null : noErrors(connection, stage.logGroups.ingest, started))],
    ["ECS tasks", async () => (local ? null : allTasks(connection, stage))],
  ];
}

async function expectStatus(status: number, answer: Promise<Response>, what: string): Promise<string> {
  const response = await answer;
  await response.body?.cancel();
  if (response.status !== status) throw new Error(`${what}: answered ${response.status}, not ${status}`);
  return `${what}: ${status}`;
}

async function noErrors({ settings }: Connection, group: string, since: number): Promise<string> {
  const { LogFollower } = await import("./log-follower.ts");
  const { logsClient } = await import("./stage-clients.ts");
  const client = logsClient(settings);
  for await (const line of new LogFollower(client, group, since, '{ $.level = "ERROR" }').next()) {
    throw new Error(line);
  }
  return `no error in ${group} since the call`;
}

async function allTasks({ settings }: Connection, stage: ReturnType<typeof deployedStage>): Promise<string> {
  const GpuCapacity = await import("./gpu-capacity.ts");
  const { gpuClients } = await import("./stage-clients.ts");
  const now = await GpuCapacity.state(gpuClients(settings), stage);
  if (!GpuCapacity.isUp(now, Math.max(1, now.desired))) throw new Error(GpuCapacity.inWords(now));
  return GpuCapacity.inWords(now);
}
