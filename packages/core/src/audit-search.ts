/**
 * Finds rows by any filter. An index gives candidates, newest (or slowest) first; what it cannot decide is held against each
 * one. A page takes a bounded number of queries whatever the filter: it may come back short, saying how far it has looked.
 */
import { z } from "zod";
import * as Cursor from "./audit-cursor.ts";
import * as AuditFilter from "./audit-filter.ts";
import { latencyText } from "./audit-index.ts";
import * as AuditQuery from "./audit-query.ts";
import * as AuditRanges from "./audit-ranges.ts";
import * as AuditTable from "./audit-table.ts";
import { type ListedRow, toListed } from "./listed-row.ts";

export const Search = z
  .strictObject({
    filter: AuditFilter.AuditFilter,
    sort: z.enum(["newest", "slowest"]),
    from: z.iso.datetime(),
    to: z.iso.datetime(),
  })
  .refine(
    ({ filter, sort }) => sort === "newest" || filter.project !== undefined,
    "`slowest` needs a project",
  );
export type Search = z.infer<typeof Search>;

export interface SearchOptions {
  limit: number;
  cursor?: string | null | undefined;
  /** Reads the previews of the rows that are given. */
  previews?: boolean;
  /**
   * Queries of a page for each shard over which its rows are spread: a project's lie in one, all else in four. No round is
   * begun that would pass them; the first always is. By default `QUERIES_A_SHARD`.
   */
  queriesAShard?: number;
}

export interface SearchPage {
  rows: ListedRow[];
  cursor: string | null;
  /** Every match received since then was given, in this page or before it; null for `slowest`. */
  searchedUntil: string | null;
  /** Rows that were held against the filter. */
  examined: number;
  queries: number;
}

/** DynamoDB's limit of a BatchGetItem. */
const BATCH = 100;
/** Candidates of a round, some more when they cost nothing. */
const WIDE = 500;
/** Where each costs more (whole rows for the sake of their previews, and `slowest`, which reads much of each day), or few are left out. */
const LESS_WIDE = 200;
export const QUERIES_A_SHARD = 3;

/** Which of a filter's conditions the index decides alone. */
const DECIDED = {
  project: ["project"],
  projects: ["projects"],
  user: ["user"],
  status: ["status"],
  statusClass: ["status"],
  slowest: ["project"],
  all: [],
} as const satisfies Record<AuditQuery.AuditQuery["by"], (keyof AuditFilter.AuditFilter)[]>;

function isDecided({ by }: AuditQuery.AuditQuery, filter: AuditFilter.AuditFilter): boolean {
  const decided: readonly string[] = DECIDED[by];
  return Object.entries(filter).every(([name, value]) => value === undefined || decided.includes(name));
}

/**
 * @throws {z.ZodError} when the search is not valid
 * @throws {Cursor.CursorError} when the cursor is not one of this search
 */
export async function page(
  table: AuditTable.AuditTable,
  input: Search,
  { limit, cursor, previews = false, queriesAShard = QUERIES_A_SHARD }: SearchOptions,
): Promise<SearchPage> {
  const search = Search.parse(input);
  const query = AuditQuery.AuditQuery.parse(AuditFilter.access(search.filter, search.sort, search));
  const aRound = AuditRanges.queriesARound(query);
  const allowed = queriesAShard * AuditRanges.shardsOf(query);
  const accepts = AuditFilter.listedPredicate(search.filter);
  const { text } = search.filter;
  const found: SearchPage = { rows: [], cursor: null, searchedUntil: null, examined: 0, queries: 0 };
  const result = (position: string | null) => {
    found.cursor = position === null ? null : Cursor.encode(search, position);
    found.searchedUntil = query.by === "slowest" ? null : (position?.split("#", 1)[0] ?? query.from);
    return found;
  };
  let position = cursor ? Cursor.decode(search, cursor) : null;
  const most = Math.max(limit, text !== undefined || query.by === "slowest" ? LESS_WIDE : WIDE);
  let round = limit;
  // Where a page has one round, that must do: it is wide when rows will be left out. Of every project some always are, the
  // console's own records, and there may be more of them than calls.
  if (2 * aRound > allowed) {
    if (!isDecided(query, search.filter)) round = most;
    else if (query.by === "all") round = Math.max(limit, LESS_WIDE);
  }
  do {
    const read = await AuditQuery.page(table, query, {
      limit: round,
      surplus: text === undefined,
      previews: previews || text !== undefined,
      cursor: position === null ? null : Cursor.encode(query, position),
      maxQueries: Math.max(allowed - found.queries, 1),
    });
    found.queries += read.queries;
    const candidates = read.rows.filter(accepts);
    const matches = text === undefined ? candidates : await withText(table, candidates, text);
    const taken = matches.slice(0, limit - found.rows.length);
    found.rows.push(...(previews ? await withPreviews(table, taken) : taken));
    const last = taken.at(-1);
    if (found.rows.length === limit && last) {
      found.examined +=
        read.rows.indexOf(candidates.find(({ createdAt }) => createdAt === last.createdAt) ?? last) + 1;
      const isEnd = read.cursor === null && read.rows.at(-1)?.createdAt === last.createdAt;
      return result(isEnd ? null : positionOf(last, search.sort));
    }
    found.examined += read.rows.length;
    position = read.cursor === null ? null : Cursor.decode(query, read.cursor);
    // The first round shows that the filter leaves rows out.
    // As many as the share that matched so far asks for, and some more.
    const matching = Math.max(found.rows.length / found.examined || 0, limit / most);
    round = Math.min(Math.max(Math.ceil((1.3 * (limit - found.rows.length)) / matching), limit), most);
  } while (position !== null && found.queries + aRound <= allowed);
  return result(position);
}

/** Where a list goes on behind a row. */
function positionOf({ latencyMs = 0, createdAt }: ListedRow, sort: Search["sort"]): string {
  return sort === "slowest" ? `${latencyText(latencyMs)}#${createdAt}` : createdAt;
}

async function withText(table: AuditTable.AuditTable, rows: ListedRow[], text: string): Promise<ListedRow[]> {
  return (await withPreviews(table, rows)).filter(AuditFilter.previewPredicate(text));
}

/** The rows from the base table, where the previews are; rows that have them already stay. */
async function withPreviews(table: AuditTable.AuditTable, rows: ListedRow[]): Promise<ListedRow[]> {
  const missing = rows.filter(({ promptPreview }) => promptPreview === undefined);
  const batches = Array.from({ length: Math.ceil(missing.length / BATCH) }, (_, at) =>
    missing.slice(at * BATCH, (at + 1) * BATCH),
  );
  const items = (await Promise.all(batches.map((batch) => AuditTable.getRows(table, batch)))).flat();
  const whole = new Map(items.map((item) => [`${item.id}\n${item.createdAt}`, toListed(item)]));
  return rows.map((row) => whole.get(`${row.id}\n${row.createdAt}`) ?? row);
}
