import { createHash } from "node:crypto";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { SendMessageCommand } from "@aws-sdk/client-sqs";
import { DeleteCommand } from "@aws-sdk/lib-dynamodb";
import * as AuditIndex from "@central-llm/core/audit-index";
import { objectKey } from "@central-llm/core/audit-key";
import { requestIdAt, sample } from "@central-llm/core/audit-record-sample";
import { toMessage } from "@central-llm/core/dead-letter";
import * as ExportJob from "@central-llm/core/export-job";
import { toListed } from "@central-llm/core/listed-row";
import { ledger } from "@central-llm/core/reconcile-ledger";
import type { Report } from "@central-llm/core/reconcile-report";
import * as RollupBucket from "@central-llm/core/rollup-bucket";
import * as RollupRun from "@central-llm/core/rollup-run";
import * as RollupTable from "@central-llm/core/rollup-table";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROUTES } from "./contract.ts";
import { ERROR_STATUS } from "./contract-error.ts";
import { signedIn } from "./person.ts";
import { type ApiStage, startApi } from "./testing/api-stage.ts";

const SPAN = "from=2026-11-21T00:00:00Z&to=2026-11-22T00:00:00Z";
const AT = Date.parse("2026-11-21T10:00:00.000Z");

/** One writer's records, chained as the proxy chains them. */
function chain(count: number) {
  let previousHash: string | null = null;
  return Array.from({ length: count }, (_, index) => {
    const receivedAt = new Date(AT + index * 1_000).toISOString();
    const record = sample({
      receivedAt,
      requestId: requestIdAt(AT + index * 1_000),
      projectId: index % 2 === 0 ? "even" : "odd",
      userId: `user-${index % 3}`,
      statusCode: index === 5 ? 503 : 200,
      outcome: index === 5 ? "upstream_error" : "completed",
      latencyMs: (index + 1) * 100,
      chain: { writer: "w-1", sequence: index + 1, previousHash },
    });
    previousHash = createHash("sha256").update(JSON.stringify(record)).digest("hex");
    return record;
  });
}

const records = chain(8);
let api: ApiStage;

beforeAll(async () => {
  api = await startApi();
  await api.store(...records);
  await RollupRun.run(api.table, AT, { window: { from: AT - 3_600_000, to: AT + 3_600_000 } });
});
afterAll(() => api.stop());

describe("errors", () => {
  test.each([
    ["GET /api/nothing", 404, "not_found"],
    ["POST /api/audit", 405, "method_not_allowed"],
    ["GET /api/audit/no-such-record", 404, "not_found"],
    ["GET /api/audit?limit=0", 400, "invalid_request"],
    ["GET /api/audit?unknown=1", 400, "invalid_request"],
    ["GET /api/audit?status=4xy", 400, "invalid_request"],
    ["GET /api/audit?from=2026-11-22T00:00:00Z&to=2026-11-21T00:00:00Z", 400, "invalid_request"],
    ["GET /api/audit?from=1900-01-01T00:00:00Z&to=2026-11-21T00:00:00Z", 400, "invalid_request"],
    ["GET /api/audit?sort=slowest", 400, "invalid_request"],
    [
      "GET /api/audit?sort=slowest&project=p&from=2026-01-01T00:00:00Z&to=2026-11-21T00:00:00Z",
      400,
      "invalid_request",
    ],
    ["GET /api/audit?cursor=made-up", 400, "invalid_cursor"],
    ["GET /api/series?interval=1m&from=2026-01-01T00:00:00Z&to=2026-11-21T00:00:00Z", 400, "invalid_request"],
    ["GET /api/access-log?from=1900-01-01T00:00:00Z&to=2026-11-21T00:00:00Z", 400, "invalid_request"],
    ["GET /api/overview?from=2020-01-01T00:00:00Z&to=2026-11-21T00:00:00Z", 400, "invalid_request"],
    ["GET /api/facets?from=2020-01-01T00:00:00Z&to=2026-11-21T00:00:00Z", 400, "invalid_request"],
    ["GET /api/facets?fields=nothing", 400, "invalid_request"],
    ["POST /api/exports", 400, "invalid_request"],
    ["GET /api/keys", 503, "gateway_unavailable"],
  ] as const)("%s is %d %s", async (request, status, code) => {
    const answer = await api.call(["auditor"], request);
    expect(answer).toMatchObject({ status, body: { error: { code } } });
    expect(Object.keys(answer.body.error).sort()).toEqual(["code", "details", "message"]);
    expect(ERROR_STATUS[code]).toBe(status);
  });

  test("an id token is no access token, whatever groups it names", () => {
    const claims = { sub: "s", "cognito:groups": "[admin]", token_use: "id" };
    expect(() => signedIn(claims, "cognito:groups")).toThrow(/access token/);
    expect(signedIn({ ...claims, token_use: "access" }, "cognito:groups").person.roles).toEqual(["admin"]);
  });

  test("a body needs a reason, a replay its letters", async () => {
    const short = await api.call(["auditor"], `POST /api/audit/${records[0]?.requestId}/body`, {
      reason: " x ",
    });
    expect(short.body.error.details).toEqual([{ path: "body.reason", message: expect.any(String) }]);
    for (const body of [{}, { ids: ["a"], all: true }, { ids: [] }]) {
      expect((await api.call(["operator"], "POST /api/dead-letters/replay", body)).status).toBe(400);
    }
  });

  test("no answer may be kept, framed, or read as something else", async () => {
    for (const request of ["GET /api/me", "GET /api/nothing"]) {
      const { headers } = await api.call(["viewer"], request);
      expect(headers).toMatchObject({
        "cache-control": "no-store",
        "content-type": "application/json",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Content-Security-Policy": expect.stringContaining("default-src 'none'"),
        "Referrer-Policy": "no-referrer",
      });
    }
  });
});

test("the OpenAPI document has every route with its parameters, bodies and answers", async () => {
  const { body } = await api.call(["viewer"], "GET /api/openapi.json");
  expect(body.openapi).toBe("3.1.0");
  for (const [name, route] of Object.entries(ROUTES)) {
    const operation = body.paths[route.path][route.method.toLowerCase()];
    expect(operation.operationId).toBe(name);
    expect(operation.responses.default.content["application/json"].schema.properties.error).toBeDefined();
    expect("requestBody" in operation).toBe("body" in route);
  }
  const list = body.paths["/api/audit"].get;
  expect(list.parameters.map(({ name }: { name: string }) => name)).toEqual(
    expect.arrayContaining(["project", "user", "status", "from", "to", "cursor", "limit", "text"]),
  );
  expect(list.responses[200].content["application/json"].schema.properties.rows.type).toBe("array");
});

test("pages follow each other, a cursor belongs to its query", async () => {
  const { body: first } = await api.call(["viewer"], `GET /api/audit?${SPAN}&limit=5`);
  const { body: second } = await api.call(
    ["viewer"],
    `GET /api/audit?${SPAN}&limit=5&cursor=${first.nextCursor}`,
  );
  const ids = [...first.rows, ...second.rows].map(({ requestId }: { requestId: string }) => requestId);
  expect(ids).toEqual(records.map(({ requestId }) => requestId).reverse());
  expect(second.nextCursor).toBeNull();
  expect(first).toMatchObject({ partial: false, from: "2026-11-21T00:00:00.000Z", work: { examined: 5 } });
  const other = await api.call(
    ["viewer"],
    `GET /api/audit?${SPAN}&limit=5&project=even&cursor=${first.nextCursor}`,
  );
  expect(other.body.error.code).toBe("invalid_cursor");
});

describe("proof", () => {
  const proofOf = async (at: number) =>
    (await api.call(["viewer"], `GET /api/audit/${records[at]?.requestId}/proof`)).body;

  test("the next record vouches for this one", async () => {
    expect(await proofOf(3)).toMatchObject({
      state: "chained",
      writer: "w-1",
      sequence: 4,
      previous: { state: "linked", requestId: records[2]?.requestId },
      next: { state: "linked", requestId: records[4]?.requestId },
    });
    expect(await proofOf(0)).toMatchObject({ state: "chained", previous: { state: "none" } });
    expect(await proofOf(7)).toMatchObject({ state: "alone", next: { state: "not_found" } });
  });

  test("a changed object breaks it, on its own page and on its neighbours'", async () => {
    const victim = records[3];
    if (!victim) throw new Error("no record");
    const Key = objectKey(api.platform.prefix, victim.receivedAt, victim.requestId);
    const put = (Body: string) =>
      api.s3.send(new PutObjectCommand({ Bucket: api.platform.bucket, Key, Body }));
    await put(JSON.stringify({ ...victim, userId: "somebody else" }));
    for (const at of [3, 4]) expect(await proofOf(at)).toMatchObject({ state: "broken" });
    // The one before it is still vouched for: the changed object holds the right hash of it.
    expect(await proofOf(2)).toMatchObject({ state: "chained" });
    await put(JSON.stringify(victim));
    expect(await proofOf(3)).toMatchObject({ state: "chained" });
  });
});

describe("charts", () => {
  test("a series is of the filter that rollups can meet, and says which they cannot", async () => {
    const { body: all } = await api.call(["viewer"], `GET /api/series?${SPAN}&interval=1h`);
    expect(all.times).toHaveLength(24);
    expect(all.groups[0].points[10]).toMatchObject({ requests: 8, errors: 1, promptTokens: 8 * 498 });
    expect(all.total.p50Ms).toBeGreaterThan(400 * 0.95);
    expect(all.total.p50Ms).toBeLessThan(400 * 1.05);
    const { body: by } = await api.call(
      ["viewer"],
      `GET /api/series?${SPAN}&interval=1d&by=status&project=odd`,
    );
    expect(
      by.groups.map(({ value, total }: never) => [value, (total as { requests: number }).requests]),
    ).toEqual([
      ["200", 3],
      ["503", 1],
    ]);
    const { body: failed } = await api.call(["viewer"], `GET /api/series?${SPAN}&status=5xx&user=user-2`);
    expect(failed).toMatchObject({ total: { requests: 2 }, ignored: ["status"] });
  });

  test("facets count values, and search in them", async () => {
    const { body } = await api.call(["viewer"], `GET /api/facets?${SPAN}&fields=project,user&limit=2`);
    expect(body.fields.project.values).toMatchObject([
      { value: "even", requests: 4 },
      { value: "odd", requests: 4, errors: 1 },
    ]);
    expect(body.fields.user).toMatchObject({ total: 3, otherRequests: 2 });
    const { body: found } = await api.call(["viewer"], `GET /api/facets?${SPAN}&fields=user&q=SER-2`);
    expect(found.fields.user.values).toMatchObject([{ value: "user-2", requests: 2 }]);
  });
});

test("the gateway's administration is no traffic, and is there for who asks for it", async () => {
  const time = AT - 4 * 3_600_000;
  const admin = sample({
    receivedAt: new Date(time).toISOString(),
    requestId: requestIdAt(time),
    profile: "gateway",
    projectId: "gateway-admin",
    requestType: "admin",
    userId: "the-admin",
    model: { requested: null, served: null, provider: "gateway" },
  });
  // A client of the central proxy chooses its names: such a call is a call.
  const named = sample({
    receivedAt: new Date(time + 1_000).toISOString(),
    requestId: requestIdAt(time + 1_000),
    projectId: "gateway-admin",
    requestType: "admin",
    userId: "a-client",
  });
  await api.store(admin, named);
  const span = `from=${new Date(time - 60_000).toISOString()}&to=${new Date(time + 60_000).toISOString()}`;
  await RollupRun.run(api.table, AT, { window: { from: time - 60_000, to: time + 60_000 } });
  const get = async (request: string) => (await api.call(["viewer"], `GET ${request}`)).body;
  const users = (list: { rows: { userId: string }[] }) => list.rows.map(({ userId }) => userId);
  expect(users(await get(`/api/audit?${span}`))).toEqual(["a-client"]);
  expect(users(await get(`/api/audit?${span}&requestType=admin`))).toEqual(["a-client", "the-admin"]);
  expect(users(await get(`/api/audit?${span}&project=gateway-admin`))).toEqual(["a-client", "the-admin"]);
  const overview = await get(`/api/overview?${span}`);
  expect(overview.totals.requests).toBe(1);
  expect(overview.top.user.map(({ value }: { value: string }) => value)).toEqual(["a-client"]);
  expect((await get(`/api/series?${span}`)).total.requests).toBe(1);
  expect((await get(`/api/series?${span}&requestType=admin`)).total.requests).toBe(2);
});

test("10,000 users: the most frequent are offered, every one is found, and none is lost from the sum", async () => {
  const time = AT - 48 * 3_600_000;
  const names = Array.from({ length: 10_000 }, (_, at) => `person-${String(at).padStart(5, "0")}`);
  const buckets = [0, 1, 2, 3].map((minute) => {
    const bucket = RollupBucket.empty();
    names.forEach((userId, at) => {
      if (at % 4 !== minute) return;
      // The first is the most frequent.
      for (let calls = at < 4 ? 9 - at : 1; calls > 0; calls--) {
        const row = {
          ...toListed({ id: "project#p", createdAt: `x#${at}` }),
          userId,
          latencyMs: 5,
          statusCode: 200,
        };
        RollupBucket.add(bucket, row, "all");
      }
    });
    return {
      granularity: "minute" as const,
      scope: RollupTable.ALL,
      time: time + minute * 60_000,
      stored: RollupBucket.store(bucket),
    };
  });
  await RollupTable.putChanged(api.table, buckets);
  const span = `from=${new Date(time).toISOString()}&to=${new Date(time + 240_000).toISOString()}`;
  const { body, status } = await api.call(["viewer"], `GET /api/facets?${span}&fields=user&limit=100`);
  expect(status).toBe(200);
  const { values, total, otherRequests } = body.fields.user;
  expect(values.slice(0, 5).map(({ value }: { value: string }) => value)).toEqual(names.slice(0, 5));
  expect([values.length, total]).toEqual([100, 10_000]);
  const listed = values.reduce((sum: number, { requests }: { requests: number }) => sum + requests, 0);
  expect(listed + otherRequests).toBe(10_000 + 8 + 7 + 6 + 5);
  const { body: found } = await api.call(["viewer"], `GET /api/facets?${span}&fields=user&q=PERSON-09999`);
  expect(found.fields.user.values).toMatchObject([{ value: "person-09999", requests: 1 }]);
});

test("an export that failed is started again by its owner, and one whose days are over has no file", async () => {
  const ask = (request: string) => api.call(["auditor"], request, {}, "ann");
  const { body: job } = await api.call(
    ["auditor"],
    "POST /api/exports",
    {
      format: "csv",
      filter: { from: "2026-11-21T00:00:00Z", to: "2026-11-22T00:00:00Z" },
      reason: "ticket 4711",
    },
    "ann",
  );
  expect(job).toMatchObject({ state: "queued", progress: 0, attempts: 0 });
  expect((await ask(`POST /api/exports/${job.id}/retry`)).body.error.code).toBe("conflict");
  const worker = await ExportJob.claim(api.table, "id-of-ann", job.id, Date.now());
  if (worker === null) throw new Error("no job");
  await ExportJob.save(api.table, { ...worker, state: "failed", error: "S3 was away" });
  expect((await ask(`GET /api/exports/${job.id}`)).body).toMatchObject({
    state: "failed",
    error: "S3 was away",
  });
  expect((await ask(`POST /api/exports/${job.id}/link`)).body.error.code).toBe("conflict");
  const again = await ask(`POST /api/exports/${job.id}/retry`);
  expect(again).toMatchObject({ status: 202, body: { state: "queued", error: null } });
  const second = await ExportJob.claim(api.table, "id-of-ann", job.id, Date.now());
  if (second === null) throw new Error("no job");
  const ended = { ...second, state: "done" as const, expiresAt: Math.floor(Date.now() / 1000) - 1 };
  await ExportJob.save(api.table, ended);
  expect((await ask(`GET /api/exports/${job.id}`)).body).toMatchObject({ state: "expired", attempts: 2 });
  expect((await ask(`POST /api/exports/${job.id}/link`)).body.error).toMatchObject({
    code: "conflict",
    details: { state: "expired" },
  });
});

test("an operator has an hour looked at anew: what lacks a row gets one, and it is on record", async () => {
  const time = Date.parse("2026-11-20T05:00:00.000Z");
  const lost = sample({
    receivedAt: new Date(time + 60_000).toISOString(),
    requestId: requestIdAt(time + 60_000),
  });
  // An object whose event was lost: only its row is taken away, since the stage's bucket tells of each object.
  await api.store(lost);
  const row = AuditIndex.keysOf({ ...lost, clientRequestId: undefined });
  await api.table.client.send(
    new DeleteCommand({ TableName: api.platform.tableName, Key: { id: row.id, createdAt: row.createdAt } }),
  );
  const hour = new Date(time).toISOString();
  const reconcile = (who: string[] = ["operator"], at = hour) =>
    api.call(who, "POST /api/reconcile", { hour: at });
  expect((await reconcile(["operator"], "2026-11-20T05:30:00.000Z")).status).toBe(400);
  const soon = new Date(Math.floor(Date.now() / 3_600_000) * 3_600_000).toISOString();
  expect((await reconcile(["operator"], soon)).body.error.code).toBe("invalid_request");
  const { body: found } = await reconcile();
  expect(found).toMatchObject({ hour, state: "incomplete", missing: 1, requeued: 1 });
  await api.ingest();
  expect((await api.call(["viewer"], `GET /api/audit/${lost.requestId}`)).status).toBe(200);
  const { body: now } = await reconcile();
  expect(now).toMatchObject({ missing: 0, requeued: 0 });
  const window = `from=${hour}&to=${new Date(time + 3_600_000).toISOString()}`;
  const { body: complete } = await api.call(["viewer"], `GET /api/completeness?${window}`);
  expect(complete.hours).toEqual([expect.objectContaining({ hour, missing: 0, verdict: now.verdict })]);
  await api.ingest();
  const { body: log } = await api.call(["admin"], "GET /api/access-log?action=replay");
  expect(log.entries.map(({ target }: { target: string }) => target)).toContain(`reconcile/${hour}`);
});

test("dead letters are listed, and replayed by id until the row is there", async () => {
  const late = sample({ receivedAt: "2026-11-21T13:00:00.000Z" });
  const key = objectKey(api.platform.prefix, late.receivedAt, late.requestId);
  await api.s3.send(
    new PutObjectCommand({ Bucket: api.platform.bucket, Key: key, Body: JSON.stringify(late) }),
  );
  const letter = (objectKey: string) =>
    toMessage({
      object: { bucket: api.platform.bucket, key: objectKey },
      body: "{}",
      reason: "schema",
      detail: "the reason",
      firstFailedAt: "2026-11-21T13:00:01.000Z",
      receives: 5,
    });
  for (const one of [key, "logs/2026/11/21/not-there.json"]) {
    await api.sqs.send(new SendMessageCommand({ QueueUrl: api.platform.deadLetterQueueUrl, ...letter(one) }));
  }
  const { body: listed } = await api.call(["operator"], "GET /api/dead-letters");
  expect(listed).toMatchObject({ complete: true, approximateTotal: 2, byReason: { schema: 2 } });
  const wanted = listed.letters.find(({ objectKeys }: { objectKeys: string[] }) => objectKeys[0] === key);
  expect(wanted).toMatchObject({ detail: "the reason", receives: 5 });

  const { body: overview } = await api.call(["viewer"], `GET /api/overview?${SPAN}`);
  expect(overview.deadLetters.count).toBe(2);
  expect(overview.health.findings.map(({ code }: { code: string }) => code)).toContain("dead_letters");

  const replay = (body: object) => api.call(["operator"], "POST /api/dead-letters/replay", body);
  expect((await replay({ ids: [wanted.messageId], dryRun: true })).body).toMatchObject({
    matched: 1,
    replayed: 0,
  });
  expect((await replay({ ids: [wanted.messageId] })).body).toMatchObject({ replayed: 1, complete: true });
  await api.ingest();
  expect((await api.call(["viewer"], `GET /api/audit/${late.requestId}`)).status).toBe(200);
  const { body: rest } = await api.call(["operator"], "GET /api/dead-letters");
  expect(rest.letters).toHaveLength(1);
});

test("a window is complete when every hour of it was found so", async () => {
  const book = ledger(api.s3, api.platform.bucket);
  const report = (missing: number): Report => ({
    from: "",
    to: "",
    objects: 1,
    rows: 1,
    missingRows: { count: missing, keys: [] },
    missingObjects: { count: 0, requestIds: [] },
    requeued: 0,
    gaps: [],
    silent: [],
    missing,
    complete: missing === 0,
  });
  const hour = (at: number) => Date.parse("2026-11-20T22:00:00Z") + at * 3_600_000;
  for (const at of [0, 1, 2]) await book.save(hour(at), { kind: "report", report: report(0) });
  const ask = async (to: string) =>
    (await api.call(["viewer"], `GET /api/completeness?from=2026-11-20T22:30:00Z&to=${to}`)).body;
  expect(await ask("2026-11-21T01:00:00Z")).toMatchObject({ state: "complete", missing: 0 });
  expect(await ask("2026-11-21T01:30:00Z")).toMatchObject({ state: "unknown" });
  await book.save(hour(3), { kind: "report", report: report(7) });
  const found = await ask("2026-11-21T02:00:00Z");
  expect(found).toMatchObject({ state: "incomplete", missing: 7 });
  expect(found.hours.map(({ state }: { state: string }) => state)).toEqual([
    "complete",
    "complete",
    "complete",
    "incomplete",
  ]);
  // An hour that was reconciled again counts as it was found last.
  await book.save(hour(3), { kind: "report", report: report(0) });
  expect(await ask("2026-11-21T02:00:00Z")).toMatchObject({ state: "complete" });
});

test("a page takes twelve queries at most, of whatever filter, with many statuses, and pages to the end lack nothing", async () => {
  const day = Date.parse("2026-11-14T09:00:00.000Z");
  const statuses = [200, 200, 200, 404, 200, 503, 0, 429, 200, 500, 302, 400, 502, 201, 403];
  const many = Array.from({ length: 90 }, (_, i) =>
    sample({
      requestId: requestIdAt(day + i * 60_000),
      receivedAt: new Date(day + i * 60_000).toISOString(),
      projectId: "many-statuses",
      statusCode: statuses[i % statuses.length] ?? 200,
      model: { requested: null, served: i % 9 === 0 ? "rare" : "usual", provider: "vllm" },
    }),
  );
  await api.store(...many);
  const span = "from=2026-11-14T00:00:00Z&to=2026-11-15T00:00:00Z";
  for (const [filter, allowed, matches] of [
    ["", 12, () => true],
    ["&model=rare", 12, ({ model }) => model.served === "rare"],
    ["&status=4xx", 12, ({ statusCode }) => statusCode >= 400 && statusCode < 500],
    ["&status=5xx&model=rare", 12, ({ statusCode, model }) => statusCode >= 500 && model.served === "rare"],
    ["&project=many-statuses&model=rare", 3, ({ model }) => model.served === "rare"],
  ] as [string, number, (one: (typeof many)[number]) => boolean][]) {
    const ids: string[] = [];
    for (let cursor = ""; ; ) {
      const { body } = await api.call(["auditor"], `GET /api/audit?${span}&limit=7${filter}${cursor}`);
      expect(body.work.queries, filter).toBeLessThanOrEqual(allowed);
      ids.push(...body.rows.map(({ requestId }: { requestId: string }) => requestId));
      if (body.nextCursor === null) break;
      expect(body.partial).toBe(body.rows.length < 7);
      cursor = `&cursor=${body.nextCursor}`;
    }
    expect(ids, filter).toEqual(
      many
        .filter(matches)
        .map(({ requestId }) => requestId)
        .reverse(),
    );
  }
});
