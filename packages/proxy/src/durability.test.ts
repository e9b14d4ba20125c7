/** Promise 2: no audited request is lost. Real processes, killed and starved; the ledger of the clients against S3. */
import { execFileSync } from "node:child_process";
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createAuditPlatform } from "@central-llm/local/audit-platform";
import { type AwsEndpoint, startAwsEndpoint } from "@central-llm/local/aws-endpoint";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AuditTrail, chainProblems } from "./testing/audit-trail.ts";
import { load } from "./testing/load.ts";
import { type ModelServer, startModelServer } from "./testing/model-server.ts";
import { type ProxyProcess, startProxyProcess } from "./testing/proxy-process.ts";

/** 25 for the record in docs/; few here, so that the suite stays quick. */
const KILLS = Number(process.env.KILL_ROUNDS ?? 4);

let aws: AwsEndpoint;
let model: ModelServer;
let trail: AuditTrail;
let spool: string;
let proxy: ProxyProcess | null = null;
let settings: Record<string, string>;

beforeEach(async () => {
  aws = await startAwsEndpoint();
  const platform = await createAuditPlatform(aws);
  model = await startModelServer(() => Math.random() * 10);
  trail = new AuditTrail(aws, platform.bucket);
  spool = await mkdtemp(join(tmpdir(), "spool-"));
  settings = {
    UPSTREAM_URL: model.url,
    AUDIT_BUCKET: platform.bucket,
    AWS_REGION: aws.region,
    AWS_ENDPOINT_URL: aws.url,
    SPOOL_DIR: spool,
    // What S3's trouble held up is sent at the end, however slow the machine.
    FLUSH_TIMEOUT_MS: "120000",
  };
});

afterEach(async () => {
  await proxy?.kill("SIGKILL");
  proxy = null;
  await model.stop();
  await aws.stop();
  await rm(spool, { recursive: true, force: true });
});

const start = async (extra: Record<string, string> = {}) => {
  proxy = await startProxyProcess({ ...settings, ...extra });
  return proxy;
};

/** Stops the proxy as a deployment does: what the spool holds is uploaded first. */
const drain = async () => expect(await proxy?.kill("SIGTERM")).toBe(0);

const leftInSpool = () => readdir(spool, { recursive: true });

test(`kill -9 at random moments under load, ${KILLS} times: every answer is audited, once, in whole chains`, {
  timeout: 120_000 + KILLS * 15_000,
}, async () => {
  const stop = new AbortController();
  let { url } = await start();
  const ledger = load(() => url, 16, "kill", stop.signal);
  for (let round = 0; round < KILLS; round++) {
    await delay(150 + Math.random() * 350);
    await proxy?.kill("SIGKILL");
    url = (await start()).url;
  }
  await delay(200);
  stop.abort();
  const { answered, refused, sent } = await ledger;
  await drain();

  const records = await trail.all();
  const audited = records.map(({ record }) => record.clientRequestId);
  expect(sent).toBeGreaterThan(50);
  expect(refused).toEqual([]);
  expect([...answered].filter((id) => !audited.includes(id))).toEqual([]);
  expect(audited.length).toBe(new Set(audited).size);
  expect(chainProblems(records)).toEqual([]);
  expect(new Set(records.map(({ record }) => record.chain.writer)).size).toBeGreaterThan(KILLS / 2);
  expect(await leftInSpool()).toEqual([]);
  // A request that was in the air when the proxy died is in the trail too, with its question.
  const interrupted = records.filter(({ record }) => record.outcome === "interrupted");
  console.info(
    `${KILLS} kills: ${sent} sent, ${answered.size} answered, ${records.length} audited, ${interrupted.length} of them interrupted`,
  );
  expect(interrupted.length).toBeGreaterThan(0);
  for (const { record } of interrupted) {
    expect(JSON.stringify(record.request.body)).toContain(record.clientRequestId);
    // Whether a model was sent it died with the proxy, unless that could still say so.
    if (record.error?.message.startsWith("The proxy died")) expect(record.queueTimeMs).toBeNull();
  }
});

test("S3 answers 500, hangs, refuses and loses its answers: clients notice nothing, and every record arrives once", async () => {
  const { url } = await start();
  const stop = new AbortController();
  const ledger = load(() => url, 8, "storm", stop.signal);
  const put = (request: { operation: string }) => request.operation === "s3.PutObject";
  for (const fault of [{ status: 500 }, "hang", "reset", "lose-answer", { status: 503 }] as const) {
    aws.setFault((request) => (put(request) ? fault : undefined));
    await delay(400);
  }
  aws.setFault(undefined);
  stop.abort();
  const { answered, refused, broken, sent } = await ledger;
  await drain();

  expect([refused, broken, answered.size]).toEqual([[], 0, sent]);
  const records = await trail.all();
  expect(records.map(({ record }) => record.clientRequestId).toSorted()).toEqual([...answered].toSorted());
  expect(chainProblems(records)).toEqual([]);
});

test("records wait in many segments while S3 is away and the proxy dies; the next life uploads them all", async () => {
  aws.setFault(({ service }) => (service === "s3" ? "reset" : undefined));
  const { url } = await start({ SPOOL_SEGMENT_BYTES: "8192" });
  const stop = new AbortController();
  const ledger = load(() => url, 8, "away", stop.signal);
  const [writer = ""] = await readdir(spool);
  const segments = async () => (await readdir(join(spool, writer))).filter((file) => file.endsWith(".seg"));
  await expect.poll(async () => (await segments()).length).toBeGreaterThan(10);
  stop.abort();
  const { answered } = await ledger;
  await proxy?.kill("SIGKILL");
  expect(await trail.keys().catch(() => [])).toEqual([]);

  aws.setFault(undefined);
  await start();
  const records = await trail.waitFor(answered.size);
  expect(records.map(({ record }) => record.clientRequestId).toSorted()).toEqual([...answered].toSorted());
  expect(chainProblems(records)).toEqual([]);
  await drain();
  expect(await leftInSpool()).toEqual([]);
});

test("a tail torn by a power cut is cut off; what stands before it is kept", async () => {
  aws.setFault(({ service }) => (service === "s3" ? "reset" : undefined));
  const { url } = await start();
  await Promise.all(["a", "b", "c"].map((id) => ask(url, id)));
  const [writer = ""] = await readdir(spool);
  const segment = join(spool, writer, "00000001.seg");
  await expect.poll(async () => (await readFile(segment, "latin1")).match(/"sequence":/g)?.length).toBe(3);
  await proxy?.kill("SIGKILL");
  // Half a frame, as a page that did not make it to the disk would leave it.
  await appendFile(
    segment,
    Buffer.concat([Buffer.from([200, 0, 0, 0, 1, 2, 3, 4, 3, 1, 0, 0]), Buffer.alloc(60, 7)]),
  );

  aws.setFault(undefined);
  const again = await start();
  const records = await trail.waitFor(3);
  expect(records.map(({ record }) => [record.clientRequestId, record.outcome]).toSorted()).toEqual([
    ["a", "completed"],
    ["b", "completed"],
    ["c", "completed"],
  ]);
  expect(again.output()).toContain('"tornBytes":72');
});

test("records lost with their disk are seen: the writer's last statement numbers more, and it never closed", async () => {
  const first = await start();
  for (const id of ["a", "b", "c"]) await ask(first.url, id);
  await drain();
  const [closed] = (await trail.statements()).filter(({ state }) => state === "closed");
  expect(closed?.sequence).toBe(3);

  const lost = await start();
  const writer = (await readdir(spool)).at(-1) ?? "";
  // It was introduced before it took a request: who dies at once is known.
  expect((await trail.statements()).map((said) => said.writer)).toContain(writer);
  await ask(lost.url, "d");
  await trail.waitFor(4);
  aws.setFault(({ operation, url: path }) =>
    operation === "s3.PutObject" && path.includes("/logs/") ? "reset" : undefined,
  );
  await ask(lost.url, "e");
  await proxy?.kill("SIGKILL");
  await rm(join(spool, writer), { recursive: true });
  aws.setFault(undefined);
  await start();
  await drain();
  const said = (await trail.statements()).filter((statement) => statement.writer === writer);
  expect(said.length).toBeGreaterThan(0);
  expect(said.filter(({ state }) => state === "closed")).toEqual([]);
});

test("each request has one access line on stdout, whole and without its content", async () => {
  const running = await start();
  await Promise.all(Array.from({ length: 60 }, (_, index) => ask(running.url, `line-${index}`)));
  await drain();
  const lines = running
    .output()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const requests = lines.filter(({ msg }) => msg === "request");
  expect(requests.map(({ requestId }) => requestId).toSorted()).toEqual(
    Array.from({ length: 60 }, (_, index) => `line-${index}`).toSorted(),
  );
  expect(requests[0]).toMatchObject({
    statusCode: 200,
    outcome: "completed",
    userId: "test",
    projectId: "ledger",
    model: "demo",
  });
  expect(running.output()).not.toContain("xxxx");
  expect((await start({ ACCESS_LOG: "off" })).output()).not.toContain('"msg":"request"');
});

test("mode async waits for nothing, and audits all the same", async () => {
  const { url } = await start({ AUDIT_MODE: "async" });
  for (const id of ["a", "b", "c"]) expect(await ask(url, id)).toBe(200);
  const records = await trail.waitFor(3);
  expect(records.map(({ record }) => record.clientRequestId).toSorted()).toEqual(["a", "b", "c"]);
  expect(chainProblems(records)).toEqual([]);
});

test("a living writer says how far it has numbered, as that grows", async () => {
  const { url } = await start({ AUDIT_STATEMENT_EVERY_MS: "50" });
  const numbers = async () => (await trail.statements()).map(({ sequence }) => sequence);
  for (const number of [1, 2]) {
    await ask(url, `n-${number}`);
    await expect.poll(numbers).toContain(number);
  }
  await drain();
});

test("a writer that S3 could not be told of starts all the same, and is made known a moment later", async () => {
  let refusals = 1;
  aws.setFault(({ operation, url: path }) =>
    operation === "s3.PutObject" && path.includes("/writers/") && refusals-- > 0
      ? { status: 503 }
      : undefined,
  );
  const { url } = await start({ AUDIT_STATEMENT_EVERY_MS: "600000" });
  expect(await trail.statements()).toEqual([]);
  expect(await ask(url, "a")).toBe(200);
  await expect.poll(async () => (await trail.statements()).length).toBe(1);
  await drain();
});

test("a dead writer whose spool is recovered is closed by the next life, at its last number", async () => {
  const { url } = await start();
  const [writer] = await readdir(spool);
  for (const id of ["a", "b"]) await ask(url, id);
  await proxy?.kill("SIGKILL");
  const again = await start();
  await trail.waitFor(2);
  await drain();
  const said = (await trail.statements()).filter((statement) => statement.writer === writer);
  expect(said.at(-1), again.output()).toMatchObject({ state: "closed", sequence: 2 });
});

test("a peer that dies on the same disk is recovered by one that lives, and a recovery that fails is tried again", async () => {
  aws.setFault(({ service }) => (service === "s3" ? "reset" : undefined));
  const mortal = await startProxyProcess({ ...settings, WRITER_NAME: "mortal" });
  await Promise.all(["a", "b"].map((id) => ask(mortal.url, id)));
  const [folder = ""] = await readdir(spool);
  const segment = join(spool, folder, "00000001.seg");
  await expect.poll(async () => (await readFile(segment, "latin1")).match(/"sequence":/g)?.length).toBe(2);
  const survivor = await start({ WRITER_NAME: "survivor", SPOOL_RECOVERY_EVERY_MS: "100" });
  await writeFile(join(spool, folder, "checkpoint.json"), "not a checkpoint");
  await mortal.kill("SIGKILL");
  aws.setFault(undefined);
  await expect.poll(() => survivor.output()).toContain("cannot be recovered");
  expect(await trail.all()).toEqual([]);

  const taken = (await readdir(spool)).find((name) => name.startsWith(`${folder}~`)) ?? "";
  await rm(join(spool, taken, "checkpoint.json"));
  const records = await trail.waitFor(2);
  expect(records.map(({ record }) => record.clientRequestId).toSorted()).toEqual(["a", "b"]);
  expect(survivor.output().match(/cannot be recovered/g)?.length).toBe(1);
  await drain();
  expect(await leftInSpool()).toEqual([]);
});

test("the last word is said again until S3 takes it, and then nothing is left in the spool", async () => {
  const { url } = await start();
  await ask(url, "a");
  await trail.waitFor(1);
  await expect.poll(async () => (await trail.statements()).length).toBe(1);
  let refusals = 2;
  aws.setFault(({ operation, url: path }) =>
    operation === "s3.PutObject" && path.includes("/writers/") && refusals-- > 0
      ? { status: 503 }
      : undefined,
  );
  await drain();
  expect((await trail.statements()).at(-1)).toMatchObject({ state: "closed", sequence: 1 });
  expect(await leftInSpool()).toEqual([]);
});

test("SIGTERM with streams open: each is sent to its end, audited whole, and the process ends by itself", async () => {
  await model.stop();
  model = await startModelServer(() => 300);
  const { url } = await start({ UPSTREAM_URL: model.url });
  const streams = Array.from({ length: 12 }, async (_, index) => {
    const response = await post(url, `open-${index}`, true);
    return response.text();
  });
  await expect.poll(() => model.asked, { interval: 5 }).toBe(12);
  await drain();
  for (const text of await Promise.all(streams)) expect(text).toMatch(/w5 [\s\S]*\[DONE\]\n\n$/);
  const records = await trail.all();
  expect(records.map(({ record }) => record.clientRequestId).toSorted()).toEqual(
    Array.from({ length: 12 }, (_, index) => `open-${index}`).toSorted(),
  );
  for (const { record } of records)
    expect(record).toMatchObject({ outcome: "completed", statusCode: 200, response: { complete: true } });
  expect(chainProblems(records)).toEqual([]);
  expect(await leftInSpool()).toEqual([]);
});

async function ask(url: string, id: string): Promise<number> {
  const response = await post(url, id);
  await response.text();
  return response.status;
}

function post(url: string, id: string, stream = false): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-llm-source": "ledger",
      "x-llm-user": "test",
      "x-llm-request-type": "chat",
      "x-request-id": id,
    },
    body: JSON.stringify({
      model: "demo",
      stream,
      messages: [{ role: "user", content: "x".repeat(2000) }],
    }),
  });
}

/** A file system of its own that can run full; needs root. */
function mountSmallDisk(directory: string, size: string): boolean {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "none", directory], { stdio: "ignore" });
    return true;
  } catch {
    return false; // Not root: the quota test below covers the same decision.
  }
}

for (const mode of ["spool", "strict"] as const) {
  test(`disk full and freed, mode ${mode}`, async (context) => {
    if (!mountSmallDisk(spool, "1m")) return context.skip();
    try {
      aws.setFault(({ service }) => (service === "s3" ? "reset" : undefined));
      const { url } = await start({ AUDIT_MODE: mode });
      expect(await ask(url, "before")).toBe(200);
      await writeFile(join(spool, "filler"), Buffer.alloc(2 ** 20)).catch(() => {});
      const during: number[] = [];
      for (let index = 0; index < 20; index++) during.push(await ask(url, `during-${index}`));
      expect(new Set(during.slice(-5))).toEqual(new Set([mode === "strict" ? 503 : 200]));
      const metrics = await (await fetch(`${url}/metrics`)).text();
      expect(metrics).toMatch(/audit_spool_trouble 1/);
      if (mode === "spool") expect(metrics).toMatch(/audit_unprotected_requests_total [1-9]/);

      await rm(join(spool, "filler"));
      aws.setFault(undefined);
      await expect.poll(async () => (await fetch(`${url}/metrics`)).text()).toMatch(/audit_spool_trouble 0/);
      expect(await ask(url, "after")).toBe(200);
      const accepted = 2 + during.length;
      const records = await trail.waitFor(accepted);
      expect(chainProblems(records)).toEqual([]);
      expect(records.map(({ record }) => record.clientRequestId)).toContain("before");
      await drain();
    } finally {
      await proxy?.kill("SIGKILL");
      execFileSync("umount", ["-l", spool]);
    }
  });
}

test("a disk that is full at the start: calls are served and audited once there is room", async (context) => {
  if (!mountSmallDisk(spool, "1m")) return context.skip();
  try {
    await writeFile(join(spool, "filler"), Buffer.alloc(2 ** 20)).catch(() => {});
    const { url } = await start();
    expect(await ask(url, "during")).toBe(200);
    expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/audit_spool_trouble 1/);
    await rm(join(spool, "filler"));
    expect((await trail.waitFor(1))[0]?.record.clientRequestId).toBe("during");
    expect(await ask(url, "after")).toBe(200);
    expect(chainProblems(await trail.waitFor(2))).toEqual([]);
    await drain();
  } finally {
    await proxy?.kill("SIGKILL");
    execFileSync("umount", ["-l", spool]);
  }
});

test("a backlog over its quota: mode spool serves and leaves a gap that is seen, mode strict refuses", async () => {
  aws.setFault(({ service }) => (service === "s3" ? "reset" : undefined));
  const strict = await start({ AUDIT_MODE: "strict", SPOOL_MAX_BYTES: "20000" });
  const refused: number[] = [];
  for (let index = 0; index < 10; index++) refused.push(await ask(strict.url, `s-${index}`));
  expect(refused[0]).toBe(200);
  expect(refused.at(-1)).toBe(503);
  expect((await fetch(`${strict.url}/ready`)).status).toBe(503);
  await proxy?.kill("SIGKILL");

  const { url } = await start({ SPOOL_MAX_BYTES: "20000" });
  for (let index = 0; index < 10; index++) expect(await ask(url, `q-${index}`)).toBe(200);
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const lost = Number(/^audit_records_lost_total (\d+)$/m.exec(metrics)?.[1]);
  expect(lost).toBeGreaterThan(0);
  aws.setFault(undefined);
  await expect.poll(async () => (await fetch(`${url}/metrics`)).text()).toMatch(/audit_spool_bytes 0/);
  expect(await ask(url, "later")).toBe(200);
  await drain();
  const records = await trail.all();
  expect(records.map(({ record }) => record.clientRequestId)).toContain("later");
  // A record that is some bytes shorter may still find room between two that did not: there may be more than one gap.
  const missing = chainProblems(records).map((problem) => {
    const [, came, due] = / (\d+) follows where (\d+) should$/.exec(problem) ?? [];
    return Number(came) - Number(due);
  });
  expect(missing.reduce((sum, count) => sum + count, 0)).toBe(lost);
});
