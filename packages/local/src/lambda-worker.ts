/**
 * Runs inside a function's own process: `node lambda-worker.ts <module> [folder of compiled code]`. Loads the module's `handler`, then handles
 * one event after another as they come over the IPC channel. Ends when the host does.
 */
import { enableCompileCache } from "node:module";
import { pathToFileURL } from "node:url";

export interface Invocation {
  event: unknown;
  requestId: string;
  /** Epoch ms. */
  deadline: number;
}

/** What Lambda answers for an error thrown by a handler. */
export interface LambdaError {
  errorType: string;
  errorMessage: string;
  trace?: string[];
}

export type WorkerMessage = { ready: true } | { payload: string } | { error: LambdaError };

/** Lambda's limit on a synchronous answer. */
const MAX_PAYLOAD_BYTES = 6 * 1024 * 1024;

type Handler = (event: unknown, context: object) => Promise<unknown>;

function lambdaError(error: unknown): LambdaError {
  if (!(error instanceof Error)) return { errorType: typeof error, errorMessage: String(error) };
  return { errorType: error.name, errorMessage: error.message, trace: (error.stack ?? "").split("\n") };
}

function contextOf({ requestId, deadline }: Invocation): object {
  const name = process.env.AWS_LAMBDA_FUNCTION_NAME ?? "";
  return {
    functionName: name,
    functionVersion: "$LATEST",
    invokedFunctionArn: `arn:aws:lambda:${process.env.AWS_REGION}:000000000000:function:${name}`,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    awsRequestId: requestId,
    logGroupName: `/aws/lambda/${name}`,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  };
}

async function handle(handler: Handler, invocation: Invocation): Promise<WorkerMessage> {
  try {
    const payload = JSON.stringify((await handler(invocation.event, contextOf(invocation))) ?? null);
    if (Buffer.byteLength(payload) <= MAX_PAYLOAD_BYTES) return { payload };
    return {
      error: {
        errorType: "Function.ResponseSizeTooLarge",
        errorMessage: `Response payload size exceeded maximum allowed payload size (${MAX_PAYLOAD_BYTES} bytes).`,
      },
    };
  } catch (error) {
    return { error: lambdaError(error) };
  }
}

async function main(file: string, compileCache: string | undefined): Promise<void> {
  if (compileCache) enableCompileCache(compileCache);
  process.on("disconnect", () => process.exit());
  const send = (message: WorkerMessage) => process.send?.(message);
  let handler: Handler;
  try {
    const module = await import(pathToFileURL(file).href);
    handler = module.handler;
    if (typeof handler !== "function") throw new TypeError(`${file} exports no function \`handler\``);
  } catch (error) {
    console.error(error);
    send({ error: lambdaError(error) });
    return;
  }
  process.on("message", async (invocation: Invocation) => send(await handle(handler, invocation)));
  send({ ready: true });
}

if (process.argv[1] === import.meta.filename) await main(process.argv[2] ?? "", process.argv[3]);
