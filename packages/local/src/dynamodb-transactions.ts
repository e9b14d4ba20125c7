/** TransactWriteItems and TransactGetItems: a transaction runs alone, single writes run side by side. */
import { database, type Item, type Json, parse, type Store } from "./dynalite-internals.ts";
import { writeUnitsOf } from "./item-bytes.ts";
import type { Write } from "./write-units.ts";

type Call = (operation: string, data: Json) => Promise<Json>;

const OPERATION: Record<string, string> = {
  Put: "PutItem",
  Update: "UpdateItem",
  Delete: "DeleteItem",
  // Checked as a delete would be, then not carried out.
  ConditionCheck: "DeleteItem",
};
const TOKEN_LIFE_MS = 600_000;

class RequestError extends Error {
  statusCode = 400;
  body: Json;
  constructor(type: string, message: string, extra: Json = {}) {
    super(message);
    this.body = { __type: `com.amazonaws.dynamodb.v20120810#${type}`, message, Message: message, ...extra };
  }
}

interface Step {
  kind: string;
  operation: string;
  request: Json;
  parsed: Json;
  key: Json;
  returnOld: boolean;
}

/** Many `shared` runs at a time, or one `alone`. First come, first served. */
function readerWriterLock() {
  let tail: Promise<unknown> = Promise.resolve();
  let shared: Promise<unknown>[] = [];
  return {
    shared<T>(run: () => Promise<T>): Promise<T> {
      const mine = tail.then(run);
      const settled = mine.then(
        () => {},
        () => {},
      );
      shared.push(settled);
      settled.then(() => {
        shared = shared.filter((other) => other !== settled);
      });
      return mine;
    },
    alone<T>(run: () => Promise<T>): Promise<T> {
      const mine = Promise.all([tail, ...shared]).then(run);
      tail = mine.then(
        () => {},
        () => {},
      );
      return mine;
    },
  };
}

export function transactions(store: Store, call: Call, charge: (writes: Write[]) => void) {
  const lock = readerWriterLock();
  const tokens = new Map<string, { body: string; at: number }>();

  async function plan(items: Json[]): Promise<Step[]> {
    const seen = new Set<string>();
    const steps: Step[] = [];
    for (const item of items) {
      const kind = Object.keys(item)[0] ?? "";
      const operation = OPERATION[kind];
      if (!operation) throw new RequestError("ValidationException", `Unknown transaction item ${kind}`);
      const { ReturnValuesOnConditionCheckFailure: returned, ...request } = item[kind];
      const { Table } = await call("DescribeTable", { TableName: request.TableName });
      const source = kind === "Put" ? request.Item : request.Key;
      const key = Object.fromEntries(
        Table.KeySchema.map((e: { AttributeName: string }) => [e.AttributeName, source[e.AttributeName]]),
      );
      const identity = request.TableName + JSON.stringify(key);
      if (seen.has(identity)) {
        throw new RequestError(
          "ValidationException",
          "Transaction request cannot include multiple operations on one item",
        );
      }
      seen.add(identity);
      const parsed = parse(store, operation, structuredClone(request));
      steps.push({ kind, operation, request, parsed, key, returnOld: returned === "ALL_OLD" });
    }
    return steps;
  }

  function cancelled(reasons: Json[]): RequestError {
    const codes = reasons.map((reason) => reason.Code).join(", ");
    return new RequestError(
      "TransactionCanceledException",
      `Transaction cancelled, please refer cancellation reasons for specific reasons [${codes}]`,
      { CancellationReasons: reasons },
    );
  }

  async function apply(steps: Step[]): Promise<void> {
    const before: (Item | undefined)[] = [];
    const reasons: Json[] = [];
    for (const step of steps) {
      const { TableName } = step.request;
      const { Item: old } = await call("GetItem", { TableName, Key: step.key, ConsistentRead: true });
      before.push(old);
      const refused = database.checkConditional(step.parsed, old) != null;
      reasons.push(
        refused
          ? {
              Code: "ConditionalCheckFailed",
              Message: "The conditional request failed",
              ...(step.returnOld && old && { Item: old }),
            }
          : { Code: "None" },
      );
    }
    if (reasons.some((reason) => reason.Code !== "None")) throw cancelled(reasons);
    const done: number[] = [];
    for (const [at, step] of steps.entries()) {
      if (step.kind === "ConditionCheck") continue;
      try {
        await call(step.operation, step.request);
        done.push(at);
      } catch (error) {
        for (const undone of done.reverse()) await undo(steps[undone], before[undone]);
        const message = error instanceof Error ? error.message : String(error);
        throw cancelled(
          steps.map((_, i) => (i === at ? { Code: "ValidationError", Message: message } : { Code: "None" })),
        );
      }
    }
  }

  async function undo(step: Step | undefined, old: Item | undefined): Promise<void> {
    if (!step) return;
    const { TableName } = step.request;
    if (old) await call("PutItem", { TableName, Item: old });
    else await call("DeleteItem", { TableName, Key: step.key });
  }

  async function write(data: Json): Promise<Json> {
    const items: Json[] = data.TransactItems ?? [];
    if (items.length === 0 || items.length > 100) {
      throw new RequestError("ValidationException", "TransactItems must have length between 1 and 100");
    }
    const body = JSON.stringify(items);
    const steps = await plan(items);
    return lock.alone(async () => {
      const token: string | undefined = data.ClientRequestToken;
      const earlier = token ? tokens.get(token) : undefined;
      if (earlier && Date.now() - earlier.at < TOKEN_LIFE_MS) {
        if (earlier.body === body) return {};
        throw new RequestError(
          "IdempotentParameterMismatchException",
          "The token was used with other parameters",
        );
      }
      await apply(steps);
      if (token) tokens.set(token, { body, at: Date.now() });
      // Prepare and commit are charged each; the commit was charged as a plain write.
      charge(
        steps.map((step) => ({
          table: step.request.TableName,
          index: null,
          partition: String(Object.values(Object.values(step.key)[0] ?? {})[0] ?? ""),
          units: step.request.Item ? writeUnitsOf(step.request.Item) : 1,
        })),
      );
      return {};
    });
  }

  const read = (data: Json): Promise<Json> =>
    lock.alone(async () => {
      const Responses: Json[] = [];
      for (const { Get } of data.TransactItems) {
        const { Item: item } = await call("GetItem", { ...Get, ConsistentRead: true });
        Responses.push(item ? { Item: item } : {});
      }
      return { Responses };
    });

  return {
    /** Runs a single write beside others, but never during a transaction. */
    shared: lock.shared,
    operations: [
      ["TransactWriteItems", write],
      ["TransactGetItems", read],
    ] as [string, (data: Json) => Promise<Json>][],
  };
}
