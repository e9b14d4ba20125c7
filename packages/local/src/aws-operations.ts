/** What the AWS endpoint was asked to do: counts, DynamoDB's requests and its write units. */
import type { Json } from "./dynalite-internals.ts";
import type { Write } from "./write-units.ts";

export class AwsOperations {
  #counts = new Map<string, number>();
  #units = new Map<string, number>();
  #requestListeners = new Set<(operation: string, body: Json) => void>();
  #writeListeners = new Set<(write: Write) => void>();

  /** Requests since the last reset by `service.Operation`, e.g. `{ "dynamodb.Query": 3 }`; refused ones included. */
  counts(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }

  count(operation: string): number {
    return this.#counts.get(operation) ?? 0;
  }

  /** DynamoDB write units since the last reset, by `Table` and `Table/Index`. */
  writeUnits(): Record<string, number> {
    return Object.fromEntries(this.#units);
  }

  reset(): void {
    this.#counts.clear();
    this.#units.clear();
  }

  /** Calls the listener with every DynamoDB request (`Query`, its JSON body). Returns how to stop that. */
  onDynamoDbRequest(listener: (operation: string, body: Json) => void): () => void {
    this.#requestListeners.add(listener);
    return () => this.#requestListeners.delete(listener);
  }

  /** Calls the listener with every write to a table or index and what it costs. Returns how to stop that. */
  onWrite(listener: (write: Write) => void): () => void {
    this.#writeListeners.add(listener);
    return () => this.#writeListeners.delete(listener);
  }

  get hearsDynamoDb(): boolean {
    return this.#requestListeners.size > 0;
  }

  record(operation: string): void {
    this.#counts.set(operation, this.count(operation) + 1);
  }

  recordDynamoDbRequest(operation: string, body: Json): void {
    for (const listener of this.#requestListeners) listener(operation, body);
  }

  recordWrite(write: Write): void {
    const name = write.index === null ? write.table : `${write.table}/${write.index}`;
    this.#units.set(name, (this.#units.get(name) ?? 0) + write.units);
    for (const listener of this.#writeListeners) listener(write);
  }
}
