/**
 * What an audited request costs and how fast rows come: `npm run bench:ingest [-- --sizes 1000,50000 --requests 1000]`.
 * Requests are counted at the engines, through the whole path: proxy, S3, event, SQS, function, DynamoDB. How to read
 * it: docs/cost-per-request.md.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type AuditedPath, MEMORY_MB, startAuditedPath } from "./audited-path.ts";
import { costPerMillion, PRICES, PRICES_OF, type Priced, type Region } from "./aws-prices.ts";
import { fill } from "./filled-table.ts";

const { values: options } = parseArgs({
  options: {
    /** Rows that are in the table when it is measured. */
    sizes: { type: "string", default: "1000,50000,200000" },
    requests: { type: "string", default: "2000" },
    /** Requests a second of the second measurement, in which ingest keeps up with the traffic. */
    rate: { type: "string", default: "50" },
  },
});
const REQUESTS = Number(options.requests);
const TARGET = { writeUnits: 6, usdPerMillion: 10 };
/** Lambda gives a function of 1,769 MB one vCPU and others their share ("Configure Lambda function memory"). */
const VCPU = MEMORY_MB / 1769;
/** Of wall time for each round of 16 reads and for the batch's writes: an assumption, engines here answer faster. */
const ROUND_TRIP_SECONDS = 0.03;
const READS_AT_ONCE = 16;
/** A bucket key is asked for at most every few minutes by each instance: at 10 requests/s that is below this. */
const KMS_PER_REQUEST = 0.001;

interface Measured {
  tableRows: number;
  /** `backlog`: the queue was full before ingest started; `steady`: ingest ran beside the traffic. */
  kind: "backlog" | "steady";
  requests: number;
  rowsPerSecond: number;
  perRequest: Record<Priced, number>;
  batchWrites: number;
  writerStatements: number;
  rowsPerInvocation: number;
  /** Of the function, after its cold start. */
  cpuMsPerRow: number;
}

async function until(what: string, done: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + 300_000;
  while (!(await done())) {
    if (Date.now() > deadline) throw new Error(`${what} did not come about in five minutes`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function measure(path: AuditedPath, kind: Measured["kind"], tableRows: number): Promise<Measured> {
  const { operations } = path.endpoint;
  operations.reset();
  let [rows, statements] = [0, 0];
  const stopListening = operations.onWrite(({ index }) => {
    if (index === null) rows++;
  });
  // No fault, only a look: the counts do not tell the two kinds of objects apart.
  path.endpoint.setFault(({ operation, url }) => {
    if (operation === "s3.PutObject" && url.includes("/writers/")) statements++;
    return undefined;
  });
  const steady = kind === "steady" ? await path.startIngest() : undefined;
  await path.send(REQUESTS, steady ? Number(options.rate) : 0);
  if (!steady) await until("a full queue", async () => (await path.queued()) === REQUESTS);
  const start = performance.now();
  const ingest = steady ?? (await path.startIngest());
  await until("every row", () => rows >= REQUESTS);
  const seconds = (performance.now() - start) / 1000;
  const [invocations, cpuSeconds] = [ingest.invocations(), ingest.cpuSeconds()];
  await ingest.stop();
  stopListening();
  path.endpoint.setFault(undefined);
  if (rows !== REQUESTS || (await path.queued()) !== 0)
    throw new Error(`${rows} rows for ${REQUESTS} requests`);
  const count = (...names: string[]) =>
    names.reduce((sum, name) => sum + operations.count(name), 0) / REQUESTS;
  const units = Object.values(operations.writeUnits()).reduce((sum, of) => sum + of, 0);
  const rowsPerInvocation = REQUESTS / invocations;
  const waiting = (Math.ceil(rowsPerInvocation / READS_AT_ONCE) + 1) * ROUND_TRIP_SECONDS;
  const secondsPerInvocation = cpuSeconds / invocations / VCPU + waiting;
  return {
    tableRows,
    kind,
    requests: REQUESTS,
    rowsPerSecond: steady ? Number(options.rate) : REQUESTS / seconds,
    perRequest: {
      put: count("s3.PutObject") - statements / REQUESTS,
      get: count("s3.GetObject", "s3.HeadObject"),
      // S3 sends each event as one message, inside of the engine: one request that no client makes.
      sqs: 1 + count("sqs.ReceiveMessage", "sqs.DeleteMessageBatch", "sqs.DeleteMessage", "sqs.SendMessage"),
      write: units / REQUESTS,
      invocation: invocations / REQUESTS,
      gbSecond: (secondsPerInvocation * MEMORY_MB) / 1024 / rowsPerInvocation,
      kms: KMS_PER_REQUEST,
    },
    batchWrites: count("dynamodb.BatchWriteItem"),
    writerStatements: statements,
    rowsPerInvocation,
    cpuMsPerRow: (cpuSeconds * 1000) / REQUESTS,
  };
}

function show({ kind, tableRows, perRequest, ...rest }: Measured): void {
  console.log(
    `\n${tableRows.toLocaleString("en")} rows in the table, ${kind}: ${Math.round(rest.rowsPerSecond)} rows/s, ` +
      `${Math.round(rest.rowsPerInvocation)} rows an invocation, ${rest.cpuMsPerRow.toFixed(2)} ms of CPU a row`,
  );
  console.table(
    Object.fromEntries(
      Object.entries(perRequest).map(([name, count]) => {
        const { what, usdPerMillion } = PRICES[name as Priced];
        const usd = (region: Region) => Number((count * usdPerMillion[region]).toFixed(3));
        return [
          what,
          {
            "per request": Number(count.toFixed(4)),
            "us-east-1 $/M": usd("us-east-1"),
            "eu-central-1 $/M": usd("eu-central-1"),
          },
        ];
      }),
    ),
  );
}

const path = await startAuditedPath();
const results: Measured[] = [];
try {
  let rows = 0;
  for (const size of options.sizes.split(",").map(Number)) {
    await fill(path.table, rows, size);
    rows = size;
    for (const kind of ["backlog", "steady"] as const) {
      const measured = await measure(path, kind, rows);
      results.push(measured);
      rows += REQUESTS;
      show(measured);
    }
  }
} finally {
  await path.stop();
}

const verdicts = results.map(({ kind, tableRows, perRequest }) => ({
  table: tableRows,
  kind,
  "write units": perRequest.write,
  "us-east-1 $/M": Number(costPerMillion(perRequest, "us-east-1").toFixed(2)),
  "eu-central-1 $/M": Number(costPerMillion(perRequest, "eu-central-1").toFixed(2)),
  "≤ 6 units": perRequest.write <= TARGET.writeUnits,
  "≤ $10 us-east-1": costPerMillion(perRequest, "us-east-1") <= TARGET.usdPerMillion,
}));
console.table(verdicts);
const folder = fileURLToPath(new URL("../.local/bench/", import.meta.url));
mkdirSync(folder, { recursive: true });
const machine = { cores: cpus().length, cpu: cpus()[0]?.model, node: process.version, load: loadavg() };
writeFileSync(
  `${folder}ingest.json`,
  `${JSON.stringify({ at: new Date().toISOString(), machine, pricesOf: PRICES_OF, target: TARGET, results, verdicts }, null, 2)}\n`,
);
console.log("written to .local/bench/ingest.json");
