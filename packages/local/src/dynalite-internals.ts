/**
 * The parts of dynalite 4.0.0 (pinned exactly: these are not its public face) that the DynamoDB stand-in calls
 * directly. Its own HTTP server is left out: it throws out of the process when a client aborts, and would cost a hop.
 */
import { AsyncResource } from "node:async_hooks";
import { createRequire } from "node:module";

export type Item = Record<string, Record<string, unknown>>;
// biome-ignore lint/suspicious/noExplicitAny: DynamoDB's JSON, whose shape dynalite itself checks.
export type Json = Record<string, any>;

interface KeyElement {
  AttributeName: string;
  KeyType: "HASH" | "RANGE";
}

export interface Index {
  IndexName: string;
  KeySchema: KeyElement[];
  Projection: { ProjectionType: "ALL" | "KEYS_ONLY" | "INCLUDE"; NonKeyAttributes?: string[] };
}

export interface Table {
  TableName: string;
  KeySchema: KeyElement[];
  GlobalSecondaryIndexes?: Index[];
  LocalSecondaryIndexes?: Index[];
}

type Callback<T> = (error: Error | null, value: T) => void;
interface Put {
  type: "put";
  key: string;
  value: Item;
}
interface SubDatabase {
  batch(operations: Put[], callback: Callback<void>): void;
}
type Lock = (key: string, run: (release: unknown) => void) => void;

export interface Store {
  options: Json;
  tableDb: { awsRegion: string; awsAccountId: string };
  getItemDb(table: string): SubDatabase & { lock: Lock };
  getIndexDb(type: "Global" | "Local", table: string, index: string): SubDatabase;
  getTable(name: string, callback: Callback<Table>): void;
  getTagDb(name: string): { put(key: string, value: unknown, callback: Callback<void>): void };
  db: { get(key: string): Promise<Json | undefined>; put(key: string, value: Json): Promise<void> };
  lifecycleManager: { gracefulClose(callback: (error: Error | null) => void): void };
}

type UpdateIndexes = (
  store: Store,
  table: Table,
  before: Item | null | undefined,
  after: Item | null | undefined,
  callback: Callback<void>,
) => void;

interface Database {
  create(options: {
    path?: string;
    createTableMs: number;
    deleteTableMs: number;
    updateTableMs: number;
  }): Store;
  checkConditional(data: Json, existing: Item | undefined): Error | null | undefined;
  updateIndexes: UpdateIndexes;
  createKey(item: Item, table: Table): string;
  getIndexActions(
    indexes: Index[],
    before: null,
    after: Item,
    table: Table,
  ): { puts: { index: string; key: string; item: Item }[] };
}

interface Validations {
  checkTypes(data: Json, types: Json): Json;
  checkValidations(data: Json, types: Json, custom: unknown, store: unknown): void;
}

const require = createRequire(import.meta.url);
export const database: Database = require("dynalite/db");
const validations: Validations = require("dynalite/validations");

const OPERATIONS = [
  "BatchGetItem",
  "BatchWriteItem",
  "CreateTable",
  "DeleteItem",
  "DeleteTable",
  "DescribeTable",
  "GetItem",
  "ListTables",
  "PutItem",
  "Query",
  "Scan",
  "TagResource",
  "UntagResource",
  "ListTagsOfResource",
  "UpdateItem",
  "UpdateTable",
] as const;

interface Operation {
  action(store: Store, data: Json, callback: Callback<Json>): void;
  types: Json;
  custom: unknown;
}

const operations = new Map<string, Operation>(
  OPERATIONS.map((name) => {
    const file = name.charAt(0).toLowerCase() + name.slice(1);
    const validation = require(`dynalite/validations/${file}`);
    return [
      name,
      { action: require(`dynalite/actions/${file}`), types: validation.types, custom: validation.custom },
    ];
  }),
);

export function isOperation(name: string): boolean {
  return operations.has(name);
}

/** The request with its expressions parsed. @throws dynalite's error (`statusCode`, `body`) for a bad request */
export function parse(store: Store, name: string, data: Json): Json {
  const operation = operations.get(name);
  if (!operation) throw new TypeError(`dynalite has no operation ${name}`);
  const parsed = validations.checkTypes(data, operation.types);
  validations.checkValidations(parsed, operation.types, operation.custom, store);
  return parsed;
}

/** Runs one operation. `data` is changed. @throws dynalite's error (`statusCode`, `body`), or a plain one for a fault of its own */
export function call(store: Store, name: string, data: Json): Promise<Json> {
  const parsed = parse(store, name, data);
  return new Promise((resolve, reject) => {
    operations.get(name)?.action(store, parsed, (error, result) => (error ? reject(error) : resolve(result)));
  });
}

type WriteObserver = (table: Table, before: Item | null | undefined, after: Item | null | undefined) => void;
const observers = new WeakMap<Store, WriteObserver>();

// Every single write of dynalite, batches included, passes here with the item as it was and as it will be.
const updateIndexes = database.updateIndexes;
database.updateIndexes = (store, table, before, after, callback) => {
  observers.get(store)?.(table, before, after);
  updateIndexes(store, table, before, after, callback);
};

/** Opens the store; `path` omitted keeps it in memory. `onWrite` runs in the async context of the request that writes. */
export function open(path: string | undefined, region: string, onWrite: WriteObserver): Store {
  const store = database.create({
    ...(path ? { path } : {}),
    createTableMs: 0,
    deleteTableMs: 0,
    updateTableMs: 0,
  });
  store.tableDb.awsRegion = region;
  observers.set(store, onWrite);
  // dynalite's lock runs a waiter in the context of the request that releases it.
  const getItemDb = store.getItemDb;
  const bound = new WeakSet<object>();
  store.getItemDb = (table) => {
    const itemDb = getItemDb(table);
    if (!bound.has(itemDb)) {
      bound.add(itemDb);
      const lock = itemDb.lock;
      itemDb.lock = (key, run) => lock(key, AsyncResource.bind(run));
    }
    return itemDb;
  };
  return store;
}

/** Puts items that are not there yet, in one write for the table and one for each index, without locks and observers. */
export async function load(store: Store, name: string, items: readonly Item[]): Promise<void> {
  const table = await new Promise<Table>((resolve, reject) =>
    store.getTable(name, (error, found) => (error ? reject(error) : resolve(found))),
  );
  const entries = items.flatMap(
    (item) => database.getIndexActions(table.GlobalSecondaryIndexes ?? [], null, item, table).puts,
  );
  const put = (key: string, value: Item): Put => ({ type: "put", key, value });
  const into = (database: SubDatabase, puts: Put[]) =>
    new Promise<void>((resolve, reject) =>
      database.batch(puts, (error) => (error ? reject(error) : resolve())),
    );
  await Promise.all([
    into(
      store.getItemDb(name),
      items.map((item) => put(database.createKey(item, table), item)),
    ),
    ...[...Map.groupBy(entries, ({ index }) => index)].map(([index, of]) =>
      into(
        store.getIndexDb("Global", name, index),
        of.map(({ key, item }) => put(key, item)),
      ),
    ),
  ]);
}

export function close(store: Store): Promise<void> {
  return new Promise((resolve, reject) =>
    store.lifecycleManager.gracefulClose((error) => (error ? reject(error) : resolve())),
  );
}
