/**
 * DynamoDB on dynalite, plus what dynalite lacks and the platform relies on: transactions, TTL and PITR calls,
 * consumed capacity of indexes. Not imitated: TTL's deletions (AWS takes days and so nothing may rely on them),
 * streams, PartiQL, `ReturnValuesOnConditionCheckFailure` outside transactions.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import * as Dynalite from "./dynalite-internals.ts";
import { tableSettings } from "./dynamodb-table-settings.ts";
import { transactions } from "./dynamodb-transactions.ts";
import { consumedCapacity, refusedWrite, type Write, writesOf } from "./write-units.ts";

export interface Answer {
  status: number;
  body: Dynalite.Json;
}

export interface DynamoDb {
  /** Never rejects: faults of the engine are an InternalServerError answer. */
  handle(operation: string, body: string): Promise<Answer>;
  stop(): Promise<void>;
}

const WRITES = new Set(["PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"]);

function errorAnswer(error: unknown): Answer {
  if (error instanceof Error && "statusCode" in error && "body" in error) {
    return { status: Number(error.statusCode), body: error.body as Dynalite.Json };
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return {
    status: 500,
    body: { __type: "com.amazonaws.dynamodb.v20120810#InternalServerError", message },
  };
}

/** @param path folder of the store; omitted: in memory */
export function openDynamoDb(options: {
  path?: string;
  region: string;
  onWrite: (write: Write) => void;
}): DynamoDb {
  const written = new AsyncLocalStorage<Write[]>();
  const charge = (writes: Write[]) => {
    for (const write of writes) options.onWrite(write);
    written.getStore()?.push(...writes);
  };
  const store = Dynalite.open(options.path, options.region, (table, before, after) =>
    charge(writesOf(table, before, after)),
  );
  const call = (operation: string, data: Dynalite.Json) => Dynalite.call(store, operation, data);
  const transacted = transactions(store, call, charge);
  const own = new Map([...tableSettings(store, call), ...transacted.operations]);

  async function run(operation: string, data: Dynalite.Json): Promise<Dynalite.Json> {
    const ours = own.get(operation);
    if (ours) return ours(data);
    if (!WRITES.has(operation)) return call(operation, data);
    return transacted.shared(() => call(operation, data));
  }

  async function handle(operation: string, body: string): Promise<Answer> {
    const writes: Write[] = [];
    let data: Dynalite.Json = {};
    try {
      if (!own.has(operation) && !Dynalite.isOperation(operation)) {
        return { status: 400, body: { __type: "com.amazon.coral.service#UnknownOperationException" } };
      }
      try {
        data = JSON.parse(body);
      } catch {
        return { status: 400, body: { __type: "com.amazon.coral.service#SerializationException" } };
      }
      const detail = data.ReturnConsumedCapacity;
      const result = await written.run(writes, () => run(operation, data));
      if (WRITES.has(operation) && (detail === "TOTAL" || detail === "INDEXES")) {
        const capacity = consumedCapacity(writes, detail);
        const many = operation === "BatchWriteItem" || operation === "TransactWriteItems";
        return { status: 200, body: { ...result, ConsumedCapacity: many ? capacity : capacity[0] } };
      }
      return { status: 200, body: result };
    } catch (error) {
      const answer = errorAnswer(error);
      if (String(answer.body.__type).endsWith("#ConditionalCheckFailedException")) {
        charge([refusedWrite(data.TableName, data.Item)]);
      }
      return answer;
    }
  }

  return { handle, stop: () => Dynalite.close(store) };
}
