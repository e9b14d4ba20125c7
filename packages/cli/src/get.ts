/** `central-llm get`: one request, its row and its object. */
import type { Item } from "@central-llm/core/audit-table";
import { AuditObjectError } from "@central-llm/core/dead-letter";
import * as RequestLookUp from "@central-llm/core/request-look-up";
import * as StoredObject from "@central-llm/core/stored-object";
import { Command } from "commander";
import { withConnection } from "./command.ts";
import type { Connection } from "./connection.ts";
import { EXIT, Failure } from "./failure.ts";
import * as Output from "./output.ts";
import { notFound } from "./query.ts";

/** More than any record: the reader's terminal is the limit. */
const MAX_BYTES = 64 * 1024 * 1024;

const EXAMPLES = `
Examples:
  central-llm get 01999999-6a3b-7c4d-8e5f-0123456789ab
  central-llm get my-order-4711 | jq '.[].object.response.body'
  central-llm get my-order-4711 --raw > record.json     the object's bytes as they are stored
`;

export function getCommand(): Command {
  return new Command("get")
    .summary("show one request whole: row and object")
    .description(
      "Prints, as JSON, the row and the stored object of each request that the id names (mostly one).",
    )
    .argument("<requestId>", "our id, or the client's x-request-id")
    .option("--row", "the row alone")
    .option("--raw", "the newest object's text alone, unchanged")
    .addHelpText("after", EXAMPLES)
    .action(withConnection(get));
}

async function get(
  connection: Connection,
  requestId: string,
  options: { row?: boolean; raw?: boolean },
): Promise<void> {
  const rows = await RequestLookUp.find(connection.table, requestId);
  const [newest] = rows;
  if (!newest) throw notFound(requestId);
  if (options.raw) {
    process.stdout.write(await objectText(connection, newest));
    return;
  }
  const shown = options.row
    ? rows.map((row) => ({ row }))
    : await Promise.all(
        rows.map(async (row) => ({ row, object: parsed(await objectText(connection, row)) })),
      );
  process.stdout.write(`${Output.json(shown, 2)}\n`);
}

async function objectText(connection: Connection, row: Item): Promise<string> {
  const place = { bucket: String(row.auditBucket), key: String(row.auditObjectKey) };
  try {
    return (await StoredObject.read(connection.s3, place, MAX_BYTES)).text;
  } catch (error) {
    if (!(error instanceof AuditObjectError)) throw error;
    const { reason, message } = error;
    const advice =
      reason === "missing_object" ? "The row is there (`--row` shows it), the object is not." : message;
    throw new Failure(EXIT.failed, `s3://${place.bucket}/${place.key}: ${reason}. ${advice}`, {
      cause: error,
    });
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text; // Changed since it was ingested: shown as it is.
  }
}
