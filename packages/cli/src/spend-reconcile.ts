/** `central-llm spend reconcile`: is every call of the gateway that the audit knows booked? */
import * as AuditQuery from "@central-llm/core/audit-query";
import * as AuditTable from "@central-llm/core/audit-table";
import type { ListedRow } from "@central-llm/core/listed-row";
import { isModelTraffic } from "@central-llm/core/model-traffic";
import * as StoredObject from "@central-llm/core/stored-object";
import * as StoredRecord from "@central-llm/core/stored-record";
import {
  BookAnswer,
  MOST_UNBOOKED,
  UnbookedAnswer,
  type UnbookedCall,
  unbookedCall,
} from "@central-llm/core/unbooked-call";
import { Command, Option } from "commander";
import { withConnection } from "./command.ts";
import type { Connection } from "./connection.ts";
import { EXIT } from "./failure.ts";
import { connectGateway, type GatewayAdmin } from "./gateway-admin.ts";
import { progress } from "./progress.ts";
import { refuseEmpty, type Window, withWindow } from "./window.ts";

const MAX_OBJECT_BYTES = 64 * 1024 * 1024;
/** Objects that are read, and calls that are booked, at a time. */
const AT_ONCE = 50;

interface Options extends Window {
  dryRun?: boolean;
  format: "text" | "json";
  aws?: boolean;
}

interface Outcome extends Window {
  /** Calls that used a model. */
  calls: number;
  unbooked: number;
  booked: number;
  /** US dollars of what had no row. */
  usd: number;
}

export function spendReconcileCommand(): Command {
  return withWindow(new Command("reconcile"))
    .summary("book what the audit trail knows and the spend rows do not")
    .description(
      "Holds the gateway's calls in the audit trail against its spend rows and books those that have none: what a gateway had answered " +
        "and not booked when it was killed. A call is booked once, however often this runs.",
    )
    .option("--dry-run", "find only; book nothing")
    .addOption(new Option("-f, --format <format>", "output").choices(["text", "json"]).default("text"))
    .addHelpText(
      "after",
      `
It reads the trail as \`query\` does and asks the gateway of GATEWAY_URL with LITELLM_MASTER_KEY. Calls of the last minutes may still be booked by the
gateway itself. Each booking is audited.

Exit codes: 0 everything is booked, 4 something is not (with --dry-run).
`,
    )
    .action(withConnection(run));
}

async function run(connection: Connection, options: Options): Promise<void> {
  refuseEmpty(options);
  const { from, to, dryRun = false } = options;
  const gateway = connectGateway(process.env, process.cwd(), options);
  const outcome: Outcome = { from, to, calls: 0, unbooked: 0, booked: 0, usd: 0 };
  const bar = progress("{value} calls, {unbooked} not booked, looked at until {until}", {
    unbooked: 0,
    until: to,
  });
  try {
    for await (const { calls, until } of gatewayCalls(connection, from, to)) {
      const missing = await withoutRow(gateway, calls);
      outcome.calls += calls.length;
      outcome.unbooked += missing.length;
      outcome.usd += missing.reduce((sum, { costUsd = 0 }) => sum + costUsd, 0);
      if (!dryRun) outcome.booked += await book(connection, gateway, missing);
      bar.update(outcome.calls, { unbooked: outcome.unbooked, until });
    }
  } finally {
    bar.stop();
  }
  process.stdout.write(options.format === "json" ? `${JSON.stringify(outcome, null, 2)}\n` : text(outcome));
  if (outcome.unbooked > outcome.booked) process.exitCode = EXIT.incomplete;
}

/** Those that used a model, page by page. */
async function* gatewayCalls(
  { table }: Connection,
  from: string,
  to: string,
): AsyncGenerator<{ calls: ListedRow[]; until: string }> {
  let cursor: string | null = null;
  do {
    const page: AuditQuery.Page = await AuditQuery.page(
      table,
      { by: "all", from, to },
      { limit: MOST_UNBOOKED, cursor, previews: false },
    );
    const calls = page.rows.filter(
      (row) =>
        row.profile === "gateway" &&
        isModelTraffic(row) &&
        (row.promptTokens ?? 0) + (row.completionTokens ?? 0) + (row.costUsd ?? 0) > 0,
    );
    cursor = page.cursor;
    yield { calls, until: page.searchedUntil ?? from };
  } while (cursor !== null);
}

async function withoutRow(gateway: GatewayAdmin, calls: ListedRow[]): Promise<ListedRow[]> {
  if (calls.length === 0) return [];
  const asked = calls.map(({ requestId, receivedAt, userId = "" }) => ({
    request_id: requestId,
    received_at: receivedAt,
    user_id: userId,
  }));
  const { unbooked } = UnbookedAnswer.parse(await gateway.post("/spend/unbooked", { calls: asked }));
  const missing = new Set(unbooked);
  return calls.filter(({ requestId }) => missing.has(requestId));
}

/** @returns how many rows are new */
async function book(connection: Connection, gateway: GatewayAdmin, missing: ListedRow[]): Promise<number> {
  let booked = 0;
  for (let at = 0; at < missing.length; at += AT_ONCE) {
    const rows = await AuditTable.getRows(connection.table, missing.slice(at, at + AT_ONCE));
    const calls = await Promise.all(rows.map((row) => recorded(connection, row)));
    const billed = calls.filter(({ usage_source }) => usage_source !== "none");
    if (billed.length > 0)
      booked += BookAnswer.parse(await gateway.post("/spend/book", { calls: billed })).booked;
  }
  return booked;
}

/** From the object, which alone holds all of it. @throws AuditObjectError when it is gone or cannot be read */
async function recorded({ s3 }: Connection, row: AuditTable.Item): Promise<UnbookedCall> {
  const place = { bucket: String(row.auditBucket), key: String(row.auditObjectKey) };
  const { text, lastModified } = await StoredObject.read(s3, place, MAX_OBJECT_BYTES);
  return unbookedCall(StoredRecord.parse(text, { key: place.key, lastModified }));
}

function text({ from, to, calls, unbooked, booked, usd }: Outcome): string {
  const head = `${from} to ${to}: ${calls} ${calls === 1 ? "call" : "calls"} of models`;
  if (unbooked === 0) return `${head}, all booked\n`;
  const rest = booked > 0 ? `${booked} booked now` : "none of them booked now";
  return `${head}, ${unbooked} without a spend row ($${usd.toFixed(6)}), ${rest}\n`;
}
