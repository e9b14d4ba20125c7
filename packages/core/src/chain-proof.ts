/**
 * What a writer's chain says of one record. The object behind it in the chain holds its hash, as it holds that of the one
 * before: a changed byte breaks the link. Neighbours are found among the rows near in time.
 */
import { hash } from "node:crypto";
import type { S3Client } from "@aws-sdk/client-s3";
import { ACCESS_PROJECT } from "./access-record.ts";
import * as AuditQuery from "./audit-query.ts";
import type { AuditTable, Item } from "./audit-table.ts";
import { AuditObjectError } from "./dead-letter.ts";
import { type ListedRow, toListed } from "./listed-row.ts";
import * as RequestLookUp from "./request-look-up.ts";
import * as StoredObject from "./stored-object.ts";
import * as StoredRecord from "./stored-record.ts";

export interface Link {
  /** `not_found`: no row near it has the number. `none`: it is the writer's first. */
  state: "linked" | "broken" | "not_found" | "none";
  requestId: string | null;
}

export interface ChainProof {
  /** Of the object's bytes as they are now; null when it cannot be read. */
  sha256: string | null;
  chain: StoredRecord.StoredRecord["chain"];
  /** Epoch milliseconds at which S3 stored it. */
  storedAt: number | null;
  /** Whether it holds the hash of the one before it. */
  previous: Link;
  /** Whether the one behind it holds its hash: that is what vouches for it. */
  next: Link;
}

export interface Trail {
  s3: S3Client;
  table: AuditTable;
  maxObjectBytes: number;
}

const NOT_FOUND: Link = { state: "not_found", requestId: null };

const placeOf = (row: Item) => ({ bucket: String(row.auditBucket), key: String(row.auditObjectKey) });

async function read({ s3, maxObjectBytes }: Trail, row: Item) {
  const place = placeOf(row);
  const { text, lastModified } = await StoredObject.read(s3, place, maxObjectBytes);
  return {
    sha256: hash("sha256", text),
    chain: StoredRecord.parse(text, { key: place.key, lastModified }).chain,
    storedAt: lastModified?.getTime() ?? null,
  };
}

/** @param row the whole row from the base table */
export async function prove(trail: Trail, row: Item): Promise<ChainProof> {
  let own: Awaited<ReturnType<typeof read>>;
  try {
    own = await read(trail, row);
  } catch (error) {
    if (!(error instanceof AuditObjectError)) throw error;
    return { sha256: null, chain: null, storedAt: null, previous: NOT_FOUND, next: NOT_FOUND };
  }
  const { sha256, chain } = own;
  if (chain === null) return { ...own, previous: NOT_FOUND, next: NOT_FOUND };
  const { previousHash, sequence } = chain;
  const [before, after] = await nearby(trail.table, toListed(row), chain.writer, sequence);
  const [previous, next] = await Promise.all([
    sequence === 1
      ? ({ state: "none", requestId: null } as const)
      : link(trail, before, (one) => one.sha256 === previousHash),
    link(trail, after, (one) => one.chain?.previousHash === sha256),
  ]);
  return { ...own, previous, next };
}

async function link(
  trail: Trail,
  row: ListedRow | undefined,
  agrees: (one: Awaited<ReturnType<typeof read>>) => boolean,
): Promise<Link> {
  if (row === undefined) return NOT_FOUND;
  const whole = (await RequestLookUp.find(trail.table, row.requestId)).find(
    ({ createdAt }) => createdAt === row.createdAt,
  );
  if (!whole) return NOT_FOUND;
  try {
    const state = agrees(await read(trail, whole)) ? "linked" : "broken";
    return { state, requestId: row.requestId };
  } catch (error) {
    // An object that is gone or is no longer JSON proves nothing and breaks the chain.
    if (error instanceof AuditObjectError) return { state: "broken", requestId: row.requestId };
    throw error;
  }
}

/** Records are numbered as they end and lie where they began: the neighbour may be as far as a call takes. */
const REACHES_MS = [5_000, 120_000, 1_200_000];
const CONSOLE_REACH_MS = 30 * 86_400_000;
const ROWS = 500;

/** The rows of the numbers before and behind, as far as they are found. */
async function nearby(table: AuditTable, row: ListedRow, writer: string, sequence: number) {
  const at = Date.parse(row.receivedAt);
  const found = new Map<number, ListedRow>();
  const look = async (query: Partial<AuditQuery.AuditQuery>, from: number, to: number) => {
    const span = { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
    const page = await AuditQuery.page(table, { ...query, ...span } as AuditQuery.AuditQuery, {
      limit: ROWS,
      maxQueries: 40,
    });
    for (const one of page.rows) {
      if (one.writer === writer && one.sequence !== undefined) found.set(one.sequence, one);
    }
  };
  const complete = () => (sequence === 1 || found.has(sequence - 1)) && found.has(sequence + 1);
  if (row.profile === "console") {
    // A console's writer may be silent for days between two accesses.
    const query = { by: "project", projectId: ACCESS_PROJECT } as const;
    await look(query, at, at + CONSOLE_REACH_MS);
    await look(query, at - CONSOLE_REACH_MS, at);
  } else {
    for (const reach of REACHES_MS) {
      await look({ by: "all" }, at + 1, at + reach);
      await look({ by: "all" }, at - reach, at + 1);
      if (complete()) break;
    }
  }
  return [found.get(sequence - 1), found.get(sequence + 1)] as const;
}
