import { GetObjectCommand, HeadObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { COST_TRACKING_BUCKET } from "@central-llm/core/platform";
import { clientSettings } from "@central-llm/local/audit-platform";
import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { GatewayBench } from "../testing/gateway-bench.ts";
import { connect } from "../testing/gateway-database.ts";
import { eventually } from "../testing/proxy-bench.ts";
import { CostFiles } from "./cost-files.ts";
import type { Database } from "./database.ts";

const HEADING =
  "day,key_hash,user_id,team_id,model,provider,price_table,requests,failed_requests,prompt_tokens,completion_tokens,total_tokens,spend_usd";
const at = (text: string) => Date.parse(`${text}Z`);
const place = (day: string) => ({
  Bucket: COST_TRACKING_BUCKET,
  Key: `daily/${day.slice(0, 4)}/${day.slice(5, 7)}/${day}.csv`,
});

let bench: GatewayBench;
let s3: S3Client;
let database: Database;
const open: CostFiles[] = [];

beforeAll(async () => {
  bench = await GatewayBench.start();
  s3 = new S3Client(clientSettings(bench.aws));
  database = connect(bench.databaseUrl);
});

afterAll(async () => {
  for (const files of open) await files.stop();
  s3.destroy();
  await database.close();
  await bench.stop();
});

beforeEach(async () => {
  await bench.database.query(`DELETE FROM "LiteLLM_SpendLogs"`);
});

function costFiles(endpoint = bench.aws.url, everyMs = 3_600_000): CostFiles {
  const log = pino({ level: "silent" });
  const { region } = bench.aws;
  const files = new CostFiles({ database, bucket: COST_TRACKING_BUCKET, region, endpoint, everyMs, log });
  open.push(files);
  return files;
}

let made = 0;
async function spent(startedAt: string, more: Record<string, unknown> = {}): Promise<void> {
  const columns = {
    request_id: `cost-${++made}`,
    call_type: "acompletion",
    api_key: "k1",
    spend: 0.1,
    prompt_tokens: 3,
    completion_tokens: 4,
    total_tokens: 7,
    startTime: startedAt,
    endTime: startedAt,
    model: "anthropic.claude-opus",
    model_group: "opus",
    custom_llm_provider: "bedrock",
    user: "ann",
    team_id: "red",
    status: "success",
    metadata: { price_table: "2026-11" },
    ...more,
  };
  const names = Object.keys(columns).map((name) => `"${name}"`);
  await bench.database.query(
    `INSERT INTO "LiteLLM_SpendLogs" (${names.join(", ")}) VALUES (${names.map((_, i) => `$${i + 1}`).join(", ")})`,
    Object.values(columns),
  );
}

async function lines(day: string): Promise<string[]> {
  const { Body } = await s3.send(new GetObjectCommand(place(day)));
  return ((await Body?.transformToString()) ?? "").trimEnd().split("\n");
}
const meta = async (day: string) => (await s3.send(new HeadObjectCommand(place(day)))).Metadata;

describe("a day's file", () => {
  test("adds up by key, user, team, model, provider and price table; decimals are exact; no cell is a formula", async () => {
    for (let i = 0; i < 3; i++) await spent("2026-01-10 23:59:59.999");
    await spent("2026-01-10 00:00:00", {
      status: "failure",
      spend: 0,
      completion_tokens: 0,
      total_tokens: 3,
    });
    await spent("2026-01-10 12:00:00", { metadata: { price_table: "2026-12" }, spend: 1e-10 });
    await spent("2026-01-10 12:00:00", {
      user: '=HYPERLINK("x"),1',
      team_id: null,
      api_key: "k0",
      model_group: "",
    });
    await spent("2026-01-11 00:00:00", { user: "next-day" });
    expect(await costFiles().update(at("2026-01-11T05:00:00"))).toEqual(["2026-01-10", "2026-01-11"]);
    expect(await lines("2026-01-10")).toEqual([
      HEADING,
      `2026-01-10,k0,"'=HYPERLINK(""x""),1",,anthropic.claude-opus,bedrock,2026-11,1,0,3,4,7,0.1`,
      "2026-01-10,k1,ann,red,opus,bedrock,2026-11,4,1,12,12,24,0.3",
      "2026-01-10,k1,ann,red,opus,bedrock,2026-12,1,0,3,4,7,0.0000000001",
    ]);
    expect(await lines("2026-01-11")).toMatchObject([HEADING, expect.stringContaining("next-day")]);
  });

  test("is written again only when it says something else; a late settlement corrects it until it is final", async () => {
    const noon = at("2026-02-02T12:00:00");
    await spent("2026-02-01 10:00:00");
    expect(await costFiles().update(noon)).toEqual(["2026-02-01", "2026-02-02"]);
    expect(await lines("2026-02-02")).toEqual([HEADING]);
    expect(await costFiles().update(noon + 1)).toEqual([]);
    await spent("2026-02-01 23:59:00");
    expect(await costFiles().update(noon + 2)).toEqual(["2026-02-01"]);
    expect((await lines("2026-02-01"))[1]).toContain(",2,0,6,8,14,0.2");
    expect(await meta("2026-02-01")).toMatchObject({ final: "false" });

    const files = costFiles();
    expect(await files.update(at("2026-02-03T00:00:00"))).toEqual(["2026-02-01", "2026-02-03"]);
    expect(await meta("2026-02-01")).toMatchObject({ final: "true" });
    // What comes after the end, or goes because somebody is erased, changes no closed account, whoever looks.
    await spent("2026-02-01 11:00:00");
    for (const one of [files, costFiles()]) expect(await one.update(at("2026-02-03T00:00:01"))).toEqual([]);
    expect((await lines("2026-02-01"))[1]).toContain(",2,0,6,8,14,0.2");
  });

  test("is made up for when everybody was away, a month back at most", async () => {
    await spent("2026-03-01 10:00:00");
    await spent("2026-04-20 10:00:00");
    const written = await costFiles().update(at("2026-04-22T12:00:00"));
    expect(written).toHaveLength(32);
    expect(written?.[0]).toBe("2026-03-22");
    expect(await meta("2026-04-20")).toMatchObject({ final: "true" });
    expect((await lines("2026-04-20"))[1]).toContain(",1,0,3,4,7,0.1");
  });

  test("no spend at all: no files", async () => {
    expect(await costFiles().update(at("2026-05-01T00:00:00"))).toEqual([]);
  });
});

test("of many processes, one does the work; when S3 is away it is told, and the lock is free again", async () => {
  await spent("2026-06-01 10:00:00");
  const now = at("2026-06-01T12:00:00");
  const holder = database.session("holder", 5_000);
  await holder.connect();
  await holder.query("SELECT pg_advisory_lock(7164390022)");
  expect(await costFiles().update(now)).toBeNull();
  await holder.end();
  await expect(costFiles("http://127.0.0.1:9").update(now)).rejects.toThrow();
  expect(await costFiles().update(now)).toEqual(["2026-06-01"]);
});

test("a gateway writes today's file by itself, after calls, and without the key", async () => {
  const port = await bench.startGateway({ COST_TRACKING_BUCKET, COST_FILE_EVERY_MS: "100" });
  const { key, token } = await bench.key({ user_id: "jane", team_id: "blue" }, port);
  const response = await bench.call(
    "POST",
    "/v1/chat/completions",
    { model: "claude-3-5-sonnet", messages: [{ role: "user", content: "hello" }] },
    { key, port },
  );
  expect(response.status).toBe(200);
  const today = new Date().toISOString().slice(0, 10);
  await eventually(async () => {
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: COST_TRACKING_BUCKET }));
    if (!Contents.some(({ Key }) => Key === place(today).Key)) return false;
    return (await lines(today)).some((line) => line.includes("jane"));
  }, "today's file");
  const [, line = ""] = await lines(today);
  expect(line).toMatch(
    new RegExp(`^${today},${token},jane,blue,claude-3-5-sonnet,bedrock,[^,]+,1,0,\\d+,\\d+,\\d+,0\\.\\d+$`),
  );
  expect(line).not.toContain(key);
});
