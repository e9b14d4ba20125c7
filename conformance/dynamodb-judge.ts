/** Calls DynamoDB Local so that it also says what each write costs, as Amazon's own engine counts it. */
import { type Agent, type IncomingHttpHeaders, request as send } from "node:http";
import { text } from "node:stream/consumers";
import { crc32 } from "node:zlib";
import type { Write } from "../packages/local/src/write-units.ts";

const WRITES = new Set(["PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"]);

interface Capacity {
  TableName: string;
  CapacityUnits: number;
  Table?: { CapacityUnits: number };
  GlobalSecondaryIndexes?: Record<string, { CapacityUnits: number }>;
}

export interface JudgeAnswer {
  status: number;
  headers: Record<string, string | number>;
  body: string;
  /** `partition` is "": DynamoDB does not say where a write went. */
  writes: Write[];
}

async function post(url: string, agent: Agent, headers: IncomingHttpHeaders, body: string) {
  const length = String(Buffer.byteLength(body));
  return new Promise<{ status: number; body: string; type: string }>((resolve, reject) => {
    const request = send(
      url,
      { method: "POST", agent, headers: { ...headers, "content-length": length } },
      (answer) => {
        const { statusCode = 500, headers: said } = answer;
        text(answer).then(
          (body) => resolve({ status: statusCode, body, type: said["content-type"] ?? "" }),
          reject,
        );
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}

function writesOf({ TableName: table, Table, GlobalSecondaryIndexes = {} }: Capacity): Write[] {
  const indexes = Object.entries(GlobalSecondaryIndexes);
  const write = (index: string | null, { CapacityUnits }: { CapacityUnits: number }) => ({
    table,
    index,
    partition: "",
    units: CapacityUnits,
  });
  return [...(Table ? [write(null, Table)] : []), ...indexes.map(([index, of]) => write(index, of))];
}

/** As much of the capacity as was asked for. */
function asAsked(capacity: Capacity, detail: unknown): object | undefined {
  if (detail === "INDEXES") return capacity;
  if (detail === "TOTAL") return { TableName: capacity.TableName, CapacityUnits: capacity.CapacityUnits };
  return undefined;
}

export async function callDynamoDb(
  url: string,
  agent: Agent,
  operation: string,
  given: IncomingHttpHeaders,
  body: string,
): Promise<JudgeAnswer> {
  const { "transfer-encoding": _, connection: __, ...headers } = given;
  const asked = WRITES.has(operation) ? (JSON.parse(body) as Record<string, unknown>) : null;
  const sent = asked ? JSON.stringify({ ...asked, ReturnConsumedCapacity: "INDEXES" }) : body;
  const answer = await post(url, agent, headers, sent);
  const writes: Write[] = [];
  let answered = answer.body;
  if (asked && answer.status === 200) {
    const { ConsumedCapacity, ...rest } = JSON.parse(answer.body) as {
      ConsumedCapacity?: Capacity | Capacity[];
    };
    const all = ConsumedCapacity === undefined ? [] : [ConsumedCapacity].flat();
    writes.push(...all.flatMap(writesOf));
    const shown = all.map((capacity) => asAsked(capacity, asked.ReturnConsumedCapacity));
    const one = Array.isArray(ConsumedCapacity) ? shown : shown[0];
    answered = JSON.stringify(shown.includes(undefined) ? rest : { ...rest, ConsumedCapacity: one });
  }
  const described = {
    "content-type": answer.type,
    "content-length": Buffer.byteLength(answered),
    "x-amz-crc32": crc32(answered),
  };
  return { status: answer.status, headers: described, body: answered, writes };
}

export async function deleteTables(url: string, agent: Agent): Promise<void> {
  const call = async (operation: string, input: object) => {
    const headers = {
      "content-type": "application/x-amz-json-1.0",
      "x-amz-target": `DynamoDB_20120810.${operation}`,
      authorization:
        "AWS4-HMAC-SHA256 Credential=local/20260101/eu-central-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0",
    };
    const { status, body } = await post(url, agent, headers, JSON.stringify(input));
    if (status !== 200) throw new Error(`DynamoDB Local answered ${operation} with ${status}: ${body}`);
    return JSON.parse(body) as { TableNames?: string[] };
  };
  for (const TableName of (await call("ListTables", {})).TableNames ?? []) {
    await call("DeleteTable", { TableName });
  }
}
