/** Whoever looks at the trail is in the trail. */
import { createHash } from "node:crypto";
import { GetObjectCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import { AuditRecord } from "@central-llm/core/audit-record";
import { sample } from "@central-llm/core/audit-record-sample";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type ApiStage, startApi } from "./testing/api-stage.ts";

const SPAN = "from=2026-11-21T00:00:00Z&to=2026-11-22T00:00:00Z";
const one = sample({ projectId: "p" });
const AUDITOR = ["auditor"];

let api: ApiStage;

beforeAll(async () => {
  api = await startApi();
  await api.store(one);
});
afterAll(() => api.stop());
beforeEach(() => api.endpoint.setFault(undefined));

/** The console's records as they lie in S3, with their bytes. */
async function stored() {
  const { Contents = [] } = await api.s3.send(
    new ListObjectsV2Command({ Bucket: api.platform.bucket, Prefix: `${api.platform.prefix}/` }),
  );
  const objects = await Promise.all(
    Contents.map(async ({ Key }) => {
      const { Body, Metadata } = await api.s3.send(
        new GetObjectCommand({ Bucket: api.platform.bucket, Key }),
      );
      const text = (await Body?.transformToString()) ?? "";
      return { text, metadata: Metadata, record: AuditRecord.parse(JSON.parse(text)) };
    }),
  );
  return objects
    .filter(({ record }) => record.profile === "console")
    .sort((a, b) => a.record.chain.sequence - b.record.chain.sequence);
}

test("searches, tails, bodies, exports and replays are records, chained without a gap", async () => {
  await api.call(AUDITOR, `GET /api/audit?${SPAN}&project=p&text=fox`);
  await api.call(AUDITOR, "GET /api/tail");
  const { body: view } = await api.call(AUDITOR, `POST /api/audit/${one.requestId}/body`, {
    reason: "ticket 4711",
  });
  await api.call(AUDITOR, "POST /api/exports", {
    format: "jsonl",
    filter: { from: "2026-11-21T00:00:00Z", to: "2026-11-22T00:00:00Z" },
    reason: "the yearly audit",
  });
  await api.call(["operator"], "POST /api/dead-letters/replay", { all: true });
  // Reading on, and whatever does not list or show content, is none.
  const { body: first } = await api.call(AUDITOR, `GET /api/audit?${SPAN}&limit=1&profile=central`);
  await api.call(AUDITOR, `GET /api/audit?${SPAN}&limit=1&profile=central&cursor=${first.nextCursor}`);
  await api.call(AUDITOR, "GET /api/tail?since=2026-11-21T00:00:00Z");
  await api.call(["operator"], "POST /api/dead-letters/replay", { all: true, dryRun: true });
  await api.call(AUDITOR, "GET /api/me");

  const objects = await stored();
  expect(objects.map(({ record }) => record.access?.action)).toEqual([
    "search",
    "tail",
    "view_body",
    "export",
    "replay",
    "search",
  ]);
  expect(objects.map(({ record }) => record.chain.sequence)).toEqual([1, 2, 3, 4, 5, 6]);
  for (const [at, { record, metadata }] of objects.entries()) {
    const before = objects[at - 1];
    const hash = before ? createHash("sha256").update(before.text).digest("hex") : null;
    expect(record.chain.previousHash).toBe(hash);
    expect(metadata).toMatchObject({ writer: record.chain.writer, sequence: String(at + 1) });
  }
  expect(objects[0]?.record).toMatchObject({
    userId: "jo",
    identity: { method: "oidc", keyId: "id-of-jo" },
    http: { clientIp: "198.51.100.7", userAgent: "vitest", path: "/api/audit" },
    request: { body: { action: "search", filter: { project: "p", text: "fox" } } },
  });
  expect(objects[2]?.record).toMatchObject({
    requestId: view.viewId,
    access: { action: "view_body", target: one.requestId, projectId: "p", reason: "ticket 4711" },
  });
});

test("the record's page and the access log show who looked, the traffic's lists do not", async () => {
  await api.ingest();
  const { body: seen } = await api.call(AUDITOR, `GET /api/audit/${one.requestId}/views`);
  expect(seen.views).toEqual([
    expect.objectContaining({
      userId: "jo",
      action: "view_body",
      target: one.requestId,
      reason: "ticket 4711",
    }),
  ]);
  // That it was read everybody may know; the reason may tell of the content.
  const { body: outside } = await api.call(["viewer"], `GET /api/audit/${one.requestId}/views`);
  expect(outside.views[0]).toMatchObject({ userId: "jo", reason: null });

  const { body: log } = await api.call(["admin"], "GET /api/access-log?limit=100");
  expect(log.entries.map(({ action }: { action: string }) => action).sort()).toEqual(
    ["export", "replay", "search", "search", "tail", "view_body"].sort(),
  );
  const { body: bodies } = await api.call(["admin"], "GET /api/access-log?action=view_body&user=jo");
  expect(bodies.entries).toHaveLength(1);
  const { body: list } = await api.call(AUDITOR, "GET /api/audit");
  expect(list.rows.filter(({ profile }: { profile: string }) => profile === "console")).toEqual([]);
  const { body: ofConsole } = await api.call(AUDITOR, "GET /api/audit?profile=console&limit=100");
  expect(ofConsole.rows.length).toBeGreaterThanOrEqual(6);
  // An access is not traffic, and the record itself is found under its id, not under its readers'.
  const { body: found } = await api.call(AUDITOR, `GET /api/audit?requestId=${one.requestId}`);
  expect(found.rows.map(({ requestId }: { requestId: string }) => requestId)).toEqual([one.requestId]);
});

describe("when the trail cannot be written", () => {
  test("nothing is shown, and the chain goes on without a gap", async () => {
    const before = await stored();
    api.endpoint.setFault(({ operation }) =>
      operation === "s3.PutObject" ? { status: 503, code: "SlowDown" } : undefined,
    );
    const refused = await api.call(AUDITOR, `POST /api/audit/${one.requestId}/body`, {
      reason: "ticket 4712",
    });
    expect(refused).toMatchObject({ status: 503, body: { error: { code: "audit_unavailable" } } });
    expect(JSON.stringify(refused.body)).not.toContain("quick brown fox");
    const search = await api.call(AUDITOR, `GET /api/audit?${SPAN}`);
    expect(search).toMatchObject({ status: 503, body: { error: { code: "audit_unavailable" } } });

    api.endpoint.setFault(undefined);
    const granted = await api.call(AUDITOR, `POST /api/audit/${one.requestId}/body`, {
      reason: "ticket 4713",
    });
    expect(granted.body.object).toMatchObject({ requestId: one.requestId });
    const after = await stored();
    // The attempt is on record, too: it had its number before the store failed.
    expect(after.map(({ record }) => record.chain.sequence)).toEqual(after.map((_, at) => at + 1));
    expect(after.length).toBeGreaterThan(before.length);
  });

  test("an answer that was lost is not a second record", async () => {
    const before = await stored();
    let lost = 0;
    api.endpoint.setFault(({ operation }) =>
      operation === "s3.PutObject" && lost++ === 0 ? "lose-answer" : undefined,
    );
    const { status } = await api.call(AUDITOR, `GET /api/audit?${SPAN}`);
    expect(status).toBe(200);
    expect(lost).toBeGreaterThan(1);
    expect(await stored()).toHaveLength(before.length + 1);
  });
});

test("nothing of a record is logged", async () => {
  const secret = "planted-secret-sentence";
  const planted = sample({
    receivedAt: "2026-11-21T12:00:00.000Z",
    projectId: secret,
    request: { headers: {}, body: { messages: [{ role: "user", content: secret }] }, bytes: 10 },
  });
  await api.store(planted);
  api.output.length = 0;
  await api.call(AUDITOR, `GET /api/audit?${SPAN}&text=${secret}&previews=true`);
  await api.call(AUDITOR, `POST /api/audit/${planted.requestId}/body`, { reason: `because of ${secret}` });
  await api.call(AUDITOR, `GET /api/audit/${planted.requestId}`);
  await api.call(AUDITOR, `GET /api/audit?${SPAN}&status=${secret}`);
  api.endpoint.setFault(({ operation }) =>
    operation.startsWith("dynamodb.") ? { status: 400, code: "ValidationException" } : undefined,
  );
  expect((await api.call(AUDITOR, `GET /api/audit?${SPAN}&project=${secret}`)).status).toBe(500);
  expect(api.output.join("\n")).not.toContain(secret);
  expect(api.output.join("\n")).toContain("failed");
});

test("who goes on from a search that is not on record is recorded: a cursor can be made up", async () => {
  const search = `GET /api/audit?${SPAN}&limit=1`;
  const { body: first } = await api.call(AUDITOR, search);
  const before = (await stored()).length;
  await api.call(AUDITOR, `${search}&cursor=${first.nextCursor}`);
  expect(await stored()).toHaveLength(before);

  await api.call(AUDITOR, `${search}&cursor=${first.nextCursor}`, undefined, "kim");
  await api.call(AUDITOR, "GET /api/tail?since=2026-11-21T00:00:00Z&project=p", undefined, "kim");
  const records = (await stored()).slice(before).map(({ record }) => [record.userId, record.access?.action]);
  expect(records).toEqual([
    ["kim", "search"],
    ["kim", "tail"],
  ]);
});
