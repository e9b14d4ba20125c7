/** Who calls, and under which id. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { HEADERS, ProxyBench } from "./testing/proxy-bench.ts";

let bench: ProxyBench;
beforeAll(async () => {
  bench = await ProxyBench.start();
});
afterAll(() => bench.stop());
afterEach(() => bench.upstream.reset());

const NAMES = ["x-llm-source", "x-llm-user", "x-llm-request-type"];
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

async function call(headers: Record<string, string>) {
  const response = await fetch(`${bench.url}/v1/models`, { headers });
  const id = response.headers.get("x-request-id") ?? "";
  return { status: response.status, id, body: (await response.json()) as { error?: Record<string, string> } };
}

describe("the identity headers", () => {
  test("each one missing is named, in OpenAI's shape, and the refusal is audited", async () => {
    for (const name of NAMES) {
      const { [name as "x-llm-user"]: _, ...others } = HEADERS;
      const { status, id, body } = await call(others);
      expect(status).toBe(400);
      expect(body.error).toMatchObject({
        type: "invalid_request_error",
        code: "missing_required_header",
        param: name,
      });
      expect(body.error?.message).toContain(`${name} is missing`);
      for (const other of NAMES)
        if (other !== name) expect(body.error?.message).not.toContain(`${other} is missing`);
      const record = await bench.record(id);
      expect(record).toMatchObject({
        statusCode: 400,
        outcome: "client_error",
        error: { type: "invalid_request_error" },
      });
      expect(record.response.body).toEqual(body);
    }
    const { body } = await call({});
    for (const name of NAMES) expect(body.error?.message).toContain(`${name} is missing`);
    expect(bench.upstream.calls).toHaveLength(0);
  });

  test.each(["-", "null", "N/A", "undefined", "none"])(
    "%j satisfies the check and counts as unknown",
    async (placeholder) => {
      const { status, id } = await call({
        ...HEADERS,
        "x-llm-source": placeholder,
        "x-llm-user": placeholder,
      });
      expect(status).toBe(200);
      expect(await bench.record(id)).toMatchObject({
        projectId: "unknown",
        userId: "unknown",
        requestType: "chat",
      });
    },
  );

  test("values in UTF-8 are read as such; the key's id is kept", async () => {
    const name = Buffer.from("Zoë Ångström").toString("latin1");
    const { id } = await call({ ...HEADERS, "x-llm-user": name, "x-llm-api-key-id": "key-7" });
    const record = await bench.record(id);
    expect(record.userId).toBe("Zoë Ångström");
    expect(record.identity).toMatchObject({
      method: "api-key",
      keyId: "key-7",
      assertedUser: "Zoë Ångström",
    });
  });

  test("a name with a comma is a name; the same header twice is refused", async () => {
    expect((await call({ ...HEADERS, "x-llm-user": "Doe, Jane" })).status).toBe(200);
    const client = await bench.connect();
    client.send(
      "GET /v1/models HTTP/1.1\r\nhost: p\r\nX-LLM-Source: one\r\nx-llm-source: two\r\nx-llm-user: u\r\nx-llm-request-type: chat\r\n\r\n",
    );
    const answer = await client.answer();
    client.destroy();
    expect(answer.status).toBe(400);
    expect(answer.body).toContain("x-llm-source is given more than once");
  });

  test("longer than 256 characters is refused", async () => {
    const { status, body } = await call({ ...HEADERS, "x-llm-source": "p".repeat(257) });
    expect([status, body.error?.param]).toEqual([400, "x-llm-source"]);
  });
});

describe("x-request-id", () => {
  test("is made where none is given: a UUIDv7 of the time of receipt, on the answer, upstream and in the audit", async () => {
    const before = Date.now();
    const { id } = await call(HEADERS);
    expect(id).toMatch(UUID_V7);
    expect((await bench.upstream.call()).headers.get("x-request-id")).toBe(id);
    const record = await bench.record(id);
    expect(record).toMatchObject({ requestId: id, clientRequestId: null });
    const received = Date.parse(record.receivedAt);
    expect(received).toBe(Number.parseInt(id.replace("-", "").slice(0, 12), 16));
    expect(received).toBeGreaterThanOrEqual(before - 1);
  });

  test.each(["a/b", "..", "x".repeat(129), "spa ce", "ü", "%2e%2e"])(
    "%j is not a safe name: kept, but not used",
    async (given) => {
      const { id } = await call({ ...HEADERS, "x-request-id": given });
      expect(id).toMatch(UUID_V7);
      expect(await bench.record(id)).toMatchObject({ requestId: id, clientRequestId: given });
    },
  );

  test("used again gets its own object each time", async () => {
    const given = bench.newId();
    const ids = [];
    for (let count = 0; count < 3; count++) ids.push((await call({ ...HEADERS, "x-request-id": given })).id);
    expect(ids[0]).toBe(given);
    expect(new Set(ids).size).toBe(3);
    for (const id of ids) expect((await bench.record(id)).clientRequestId).toBe(given);
  });

  test("taken by an object that S3 has already, or by two proxies at once: nothing is overwritten, all is stored", async () => {
    const given = bench.newId();
    const other = await bench.startProxy({ SPOOL_DIR: `${bench.settings.SPOOL_DIR}2` });
    const headers = { ...HEADERS, "x-request-id": given };
    const before = (await bench.trail.keys()).length;
    let waiting: (() => void)[] = [];
    bench.upstream.script = (next) =>
      waiting.push(() => next.json200({ asked: bench.upstream.calls.indexOf(next) }));
    const both = [bench.port, other].map((port) => fetch(`http://127.0.0.1:${port}/v1/models`, { headers }));
    await bench.upstream.call(1);
    for (const go of waiting) go();
    waiting = [];
    for (const answer of await Promise.all(both)) expect(answer.status).toBe(200);
    const stored = (await bench.trail.waitFor(before + 2)).filter(
      ({ record }) => record.clientRequestId === given,
    );
    expect(stored).toHaveLength(2);
    const names = stored.map(({ key }) => key.split("/").at(-1)?.replace(".json", "") ?? "");
    expect(names.filter((name) => name === given)).toHaveLength(1);
    expect(names.find((name) => name !== given)).toMatch(UUID_V7);
    expect(new Set(stored.map(({ record }) => record.chain.writer)).size).toBe(2);

    // A third proxy, which knows nothing of it, with the object already there before it is asked.
    const third = await bench.startProxy({ SPOOL_DIR: `${bench.settings.SPOOL_DIR}3` });
    bench.upstream.script = (next) => setTimeout(() => next.json200({}), 100);
    expect((await fetch(`http://127.0.0.1:${third}/v1/models`, { headers })).status).toBe(200);
    const all = (await bench.trail.waitFor(before + 3)).filter(
      ({ record }) => record.clientRequestId === given,
    );
    expect(all).toHaveLength(3);
    expect(all.filter(({ key }) => key.endsWith(`/${given}.json`))).toHaveLength(1);
  });
});
