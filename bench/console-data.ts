/** The table of `bench/console`, made once: rows straight into the store, then their rollups by the function's own code. */
import { hash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import * as AuditTable from "@central-llm/core/audit-table";
import { AUDIT_TABLE } from "@central-llm/core/audit-table-definition";
import * as RollupRun from "@central-llm/core/rollup-run";
import { clientSettings, createAuditPlatform } from "@central-llm/local/audit-platform";
import { startAwsEndpoint } from "@central-llm/local/aws-endpoint";
import { openTableLoad } from "@central-llm/local/table-load";
import { DAYS, fill } from "./console-rows.ts";

export interface Prepared {
  rows: number;
  /** Of the table's keys and indexes: a table of an older version's goes. */
  definition: string;
  /** Epoch milliseconds: the newest row's time. */
  end: number;
  filledIn: number;
  countedIn: number;
}

const DEFINITION = hash("sha256", JSON.stringify(AUDIT_TABLE)).slice(0, 16);
const DAY_MS = 86_400_000;
const MINUTE = 60_000;
const SHOWN_EVERY_MS = 10_000;

export const say = (line: string) => console.error(`[bench] ${line}`);
const seconds = (since: number) => Math.round((performance.now() - since) / 1000);
const count = (rows: number) => rows.toLocaleString("en");

/**
 * A table of this definition that was finished with as many rows in the folder is taken as it is; another one goes.
 * @throws Error when the folder holds something that is no table of ours
 */
export async function prepare(dataDir: string, rows: number): Promise<Prepared> {
  const note = join(dataDir, "prepared.json");
  if (existsSync(note)) {
    const known: Prepared = JSON.parse(readFileSync(note, "utf8"));
    if (known.rows === rows && known.definition === DEFINITION) {
      say(`takes the ${count(rows)} rows in ${dataDir}`);
      return known;
    }
  }
  if (existsSync(dataDir) && readdirSync(dataDir).length > 0 && !existsSync(join(dataDir, "dynamodb"))) {
    throw new Error(`${dataDir} is not empty, and what it holds is no table of this bench.`);
  }
  rmSync(dataDir, { recursive: true, force: true });
  mkdirSync(dataDir, { recursive: true });
  const end = Math.floor(Date.now() / MINUTE) * MINUTE;
  const filledIn = await fillTable(dataDir, rows, end);
  const countedIn = await countRollups(dataDir, end);
  const prepared = { rows, definition: DEFINITION, end, filledIn, countedIn };
  writeFileSync(note, JSON.stringify(prepared));
  return prepared;
}

/** @returns seconds */
async function fillTable(dataDir: string, rows: number, end: number): Promise<number> {
  const endpoint = await startAwsEndpoint({ dataDir });
  await createAuditPlatform(endpoint);
  await endpoint.stop();
  const load = openTableLoad(dataDir);
  const client = new DynamoDBClient(load.clientSettings);
  const begun = performance.now();
  let shown = begun;
  await fill(AuditTable.open(client, AUDIT_TABLE.TableName), { from: 0, count: rows, end }, (done) => {
    if (performance.now() - shown < SHOWN_EVERY_MS) return;
    shown = performance.now();
    const left = Math.round((seconds(begun) / done) * (rows - done));
    say(`${count(done)} of ${count(rows)} rows after ${seconds(begun)} s; about ${left} s more`);
  });
  client.destroy();
  await load.close();
  return seconds(begun);
}

/** @returns seconds */
async function countRollups(dataDir: string, end: number): Promise<number> {
  const endpoint = await startAwsEndpoint({ dataDir });
  const client = new DynamoDBClient(clientSettings(endpoint));
  const table = AuditTable.open(client, AUDIT_TABLE.TableName);
  const begun = performance.now();
  let shown = begun;
  let counted = 0;
  const hour = 60 * MINUTE;
  for (let from = end - DAYS * DAY_MS; from < end; from += hour) {
    counted += (await RollupRun.run(table, end, { window: { from, to: from + hour } })).rows;
    if (performance.now() - shown < SHOWN_EVERY_MS) continue;
    shown = performance.now();
    say(
      `rollups of ${count(counted)} rows; ${Math.round((end - from) / hour)} hours left, ${seconds(begun)} s`,
    );
  }
  client.destroy();
  await endpoint.stop();
  return seconds(begun);
}
