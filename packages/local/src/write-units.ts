/**
 * What a write costs on AWS, in write request units, for the table and for each index that it touches.
 * Source: "Read and write capacity" and "Using Global Secondary Indexes" in Amazon's DynamoDB developer guide:
 * 1 unit per started KB of the larger of the item before and after; an index pays only when its entry changes, and
 * twice when the entry moves to another key.
 */
import type { Index, Item, Table } from "./dynalite-internals.ts";
import { writeUnitsOf as units } from "./item-bytes.ts";

export interface Write {
  table: string;
  /** null for the table itself. */
  index: string | null;
  /** Value of the partition key that takes the write. */
  partition: string;
  units: number;
}

function keyNames(of: Table | Index): string[] {
  return of.KeySchema.map((element) => element.AttributeName);
}

function partitionOf(of: Table | Index, item: Item): string {
  const name = of.KeySchema[0]?.AttributeName ?? "";
  return String(Object.values(item[name] ?? {})[0] ?? "");
}

/** The index's copy of the item; null when the item lacks one of its keys (a sparse index). */
function entry(table: Table, index: Index, item: Item | null | undefined): Item | null {
  if (!item || keyNames(index).some((name) => item[name] === undefined)) return null;
  if (index.Projection.ProjectionType === "ALL") return item;
  const names = new Set([
    ...keyNames(index),
    ...keyNames(table),
    ...(index.Projection.NonKeyAttributes ?? []),
  ]);
  return Object.fromEntries(Object.entries(item).filter(([name]) => names.has(name)));
}

function sameKey(index: Index, a: Item, b: Item): boolean {
  return keyNames(index).every((name) => JSON.stringify(a[name]) === JSON.stringify(b[name]));
}

function indexWrites(table: Table, index: Index, before: Item | null, after: Item | null): Write[] {
  const write = (item: Item, cost: number): Write => ({
    table: table.TableName,
    index: index.IndexName,
    partition: partitionOf(index, item),
    units: cost,
  });
  if (before && after && sameKey(index, before, after)) {
    const unchanged = JSON.stringify(sorted(before)) === JSON.stringify(sorted(after));
    return unchanged ? [] : [write(after, Math.max(units(before), units(after)))];
  }
  return [before, after].flatMap((item) => (item ? [write(item, units(item))] : []));
}

function sorted(item: Item): [string, unknown][] {
  return Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** `before` or `after` null: a new or a deleted item. */
export function writesOf(
  table: Table,
  before: Item | null | undefined,
  after: Item | null | undefined,
): Write[] {
  const item = after ?? before;
  const own: Write = {
    table: table.TableName,
    index: null,
    partition: item ? partitionOf(table, item) : "",
    units: Math.max(before ? units(before) : 1, after ? units(after) : 1),
  };
  const indexes = [...(table.GlobalSecondaryIndexes ?? []), ...(table.LocalSecondaryIndexes ?? [])];
  return [
    own,
    ...indexes.flatMap((index) =>
      indexWrites(table, index, entry(table, index, before), entry(table, index, after)),
    ),
  ];
}

/** A refused conditional write is charged like the write itself. */
export function refusedWrite(table: string, item: Item | undefined): Write {
  return { table, index: null, partition: "", units: item ? units(item) : 1 };
}

/** `ConsumedCapacity` of a write, one entry per table. */
export function consumedCapacity(writes: Write[], detail: "TOTAL" | "INDEXES"): object[] {
  return [...Map.groupBy(writes, (write) => write.table)].map(([table, own]) => {
    const sum = (of: Write[]) => of.reduce((total, write) => total + write.units, 0);
    if (detail === "TOTAL") return { TableName: table, CapacityUnits: sum(own) };
    const indexes = [...Map.groupBy(own, (write) => write.index)].filter(([index]) => index !== null);
    return {
      TableName: table,
      CapacityUnits: sum(own),
      Table: { CapacityUnits: sum(own.filter((write) => write.index === null)) },
      ...(indexes.length > 0 && {
        GlobalSecondaryIndexes: Object.fromEntries(
          indexes.map(([index, of]) => [index, { CapacityUnits: sum(of) }]),
        ),
      }),
    };
  });
}
