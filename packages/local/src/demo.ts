/** `npm run demo`: a realistic mix of calls through the edge of the running platform, then what to look at. */
import "./node-version.ts";
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { objectKey } from "@central-llm/core/audit-key";
import { newRequestId } from "@central-llm/core/request-id";
import cliProgress from "cli-progress";
import { Command, InvalidArgumentError } from "commander";
import { z } from "zod";
import { clientSettings } from "./audit-platform.ts";
import { demoCall } from "./demo-mix.ts";
import { localFolder } from "./local-folder.ts";

const count = (text: string) => {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1)
    throw new InvalidArgumentError("It must be a whole number above 0.");
  return number;
};

const options = new Command("npm run demo --")
  .description("Sends a realistic mix of calls to the platform that `npm start` runs.")
  .option("-n, --requests <number>", "calls to send", count, 200)
  .option("-c, --concurrency <number>", "at a time", count, 8)
  .option("--with-poison", "also put a broken object into S3, which ends in the dead-letter queue")
  .parse()
  .opts<{ requests: number; concurrency: number; withPoison?: boolean }>();

const Variables = z.object({
  CENTRAL_URL: z.url(),
  CENTRAL_API_KEY: z.string(),
  AWS_ENDPOINT_URL: z.url(),
  AWS_REGION: z.string(),
  AUDIT_BUCKET: z.string(),
  AUDIT_PREFIX: z.string(),
});

function variables(): z.infer<typeof Variables> {
  const { env } = localFolder(process.env.LOCAL_DIR);
  if (!existsSync(env)) {
    console.error(`${env} is not there: start the platform with \`npm start\` in another terminal first.`);
    process.exit(1);
  }
  const lines = readFileSync(env, "utf8").split("\n").filter(Boolean);
  return Variables.parse(Object.fromEntries(lines.map((line) => line.split(/=(.*)/, 2))));
}

const platform = variables();

/** The status, or what became of the call without one that counts. */
async function send(n: number): Promise<string> {
  const call = demoCall(n);
  const signal = call.leaveAfterMs ? AbortSignal.timeout(call.leaveAfterMs) : null;
  let status: number | undefined;
  try {
    const answer = await fetch(platform.CENTRAL_URL + call.path, {
      method: "POST",
      headers: { ...call.headers, "x-api-key": platform.CENTRAL_API_KEY },
      body: JSON.stringify(call.body),
      signal,
    });
    status = answer.status;
    await answer.arrayBuffer();
    return String(status);
  } catch {
    if (signal?.aborted) return "client left";
    return status === undefined ? "no answer" : `${status}, cut off`;
  }
}

/** A bar on a terminal, a line now and then elsewhere. */
function progress(total: number): { step(): void; stop(): void } {
  if (!process.stdout.isTTY) {
    let done = 0;
    const every = Math.ceil(total / 4);
    return {
      step() {
        done++;
        if (done % every === 0 || done === total) console.log(`${done} of ${total} calls`);
      },
      stop() {},
    };
  }
  const bar = new cliProgress.SingleBar(
    { format: "  {bar} {value}/{total} calls, {eta_formatted} to go", hideCursor: true },
    cliProgress.Presets.shades_classic,
  );
  bar.start(total, 0);
  return { step: () => bar.increment(), stop: () => bar.stop() };
}

/** An object that no reader can parse, as a broken writer might leave one. */
async function poison(): Promise<string> {
  const { id, receivedAt } = newRequestId();
  const Key = objectKey(platform.AUDIT_PREFIX, receivedAt, id);
  const s3 = new S3Client(clientSettings({ url: platform.AWS_ENDPOINT_URL, region: platform.AWS_REGION }));
  await s3.send(
    new PutObjectCommand({ Bucket: platform.AUDIT_BUCKET, Key, Body: '{"schemaVersion": 1, "reque' }),
  );
  s3.destroy();
  return Key;
}

const bar = progress(options.requests);
const outcomes = new Map<string, number>();
const started = performance.now();
let next = 0;
await Promise.all(
  Array.from({ length: Math.min(options.concurrency, options.requests) }, async () => {
    while (next < options.requests) {
      const outcome = await send(next++);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      bar.step();
      // A person's pause, so that concurrent callers drift apart as real ones do.
      await delay(next % 7);
    }
  }),
);
bar.stop();
const broken = options.withPoison ? await poison() : null;

const seconds = (performance.now() - started) / 1000;
console.log(`\n${options.requests} calls in ${seconds.toFixed(1)} s:`);
for (const [outcome, times] of [...outcomes].sort())
  console.log(`  ${String(times).padStart(6)}  ${outcome}`);
if (broken) console.log(`  and one broken object: s3://${platform.AUDIT_BUCKET}/${broken}`);
console.log(`
Look at them:
  npm run central-llm -- query --project support-assistant
  npm run central-llm -- query --status 5xx
  npm run central-llm -- query --slowest --project knowledge-search
  npm run central-llm -- status${broken ? "\n  npm run central-llm -- dlq" : ""}`);
if (outcomes.has("no answer")) process.exit(1);
