/** `GET /api/audit`, `GET /api/tail`: lists of records. */
import type { AuditFilter } from "@central-llm/core/audit-filter";
import * as AuditSearch from "@central-llm/core/audit-search";
import type { ListedRow } from "@central-llm/core/listed-row";
import { toListed } from "@central-llm/core/listed-row";
import * as RequestLookUp from "@central-llm/core/request-look-up";
import { type Call, type CallOf, requireProject, spanOf } from "./call.ts";
import { Failure } from "./failure.ts";
import { may, maySeeProject, type Person } from "./permission.ts";
import { shownRow } from "./shown-row.ts";

type Given = Omit<CallOf<"tail">["query"], "since" | "limit">;

/**
 * The filter as core takes it, bound to the person's projects.
 * @throws {Failure} forbidden: another's project, text without the right to previews, the access log without its own
 */
export function filterOf(person: Person, { stream, ...given }: Given): AuditFilter {
  if (given.project !== undefined) requireProject(person, given.project);
  if (given.text !== undefined && !may(person, "preview.read")) {
    throw new Failure("forbidden", "Your role may not search in previews.", { permission: "preview.read" });
  }
  if (given.profile === "console" && !may(person, "access-log.read")) {
    throw new Failure("forbidden", "Your role may not see the access log.", {
      permission: "access-log.read",
    });
  }
  const bound = person.projects !== null && given.project === undefined;
  return {
    ...given,
    ...(stream !== undefined && { stream: stream === "true" }),
    ...(bound && { projects: [...(person.projects ?? [])] }),
  };
}

export async function audit(call: CallOf<"audit">) {
  const { person, query, context } = call;
  const { from, to, requestId, sort, cursor, limit, previews, ...given } = query;
  const span = spanOf({ from, to }, call.receivedAt);
  const filter = filterOf(person, given);
  if (sort === "slowest" && filter.project === undefined) {
    throw new Failure("invalid_request", "`slowest` needs a project.", [
      { path: "query.project", message: "needed to sort by latency" },
    ]);
  }
  const details = { filter: { ...given, requestId }, ...span, sort };
  const recorded = context.recent.record([person.subject, details], cursor !== undefined, () =>
    call.audit({ action: "search", projectId: given.project ?? null, target: requestId ?? null, details }),
  );
  // Side by side; nothing is answered before the search is on record.
  const [page] = await Promise.all([
    requestId === undefined
      ? AuditSearch.page(
          context.table,
          { filter, sort, ...span },
          {
            limit,
            cursor,
            previews: previews === "true" && may(person, "preview.read"),
          },
        ).catch(asInvalid)
      : byRequestId(call, requestId),
    recorded,
  ]);
  return {
    rows: page.rows.map((row) => shownRow(row, person)),
    nextCursor: page.cursor,
    searchedUntil: page.searchedUntil,
    partial: page.cursor !== null && page.rows.length < limit,
    ...span,
    work: { examined: page.examined, queries: page.queries },
  };
}

/** Core's own limits on a query, e.g. 31 days of `slowest`, are the caller's to keep. */
function asInvalid(error: unknown): never {
  const issues = (error as { issues?: { message: string }[] }).issues;
  if ((error as Error).name !== "ZodError" || !issues) throw error;
  throw new Failure(
    "invalid_request",
    issues.map(({ message }) => message).join("; "),
    issues.map(({ message }) => ({ path: "query", message })),
  );
}

async function byRequestId({ context, person }: Call, requestId: string): Promise<AuditSearch.SearchPage> {
  const items = await RequestLookUp.find(context.table, requestId);
  const rows = items.map(toListed).filter((row) => isVisible(row, person));
  return { rows, cursor: null, searchedUntil: null, examined: items.length, queries: 4 };
}

/** Whether the person may know that the row exists. */
export const isVisible = (row: ListedRow, person: Person) =>
  row.profile === "console" ? may(person, "access-log.read") : maySeeProject(person, row.projectId);

/** Rows may come this much after newer ones: their objects took longer to S3, or through the queue. */
const OVERLAP_MS = 15_000;
const FIRST_LOOK_MS = 15 * 60_000;

export async function tail(call: CallOf<"tail">) {
  const { person, query, context, receivedAt } = call;
  const { since, limit, ...given } = query;
  const filter = filterOf(person, given);
  const first = since === undefined;
  const begin = first ? receivedAt - FIRST_LOOK_MS : Date.parse(since) - OVERLAP_MS;
  const from = new Date(Math.max(begin, receivedAt - 24 * 3_600_000)).toISOString();
  const to = new Date(receivedAt + OVERLAP_MS).toISOString();
  const [page] = await Promise.all([
    // Over midnight a window lies in two days' partitions: those of the new day, still empty, must not take all queries.
    AuditSearch.page(
      context.table,
      { filter, sort: "newest", from, to },
      { limit, queriesAShard: 2 * AuditSearch.QUERIES_A_SHARD },
    ),
    context.recent.record([person.subject, "tail", given], !first, () =>
      call.audit({ action: "tail", projectId: given.project ?? null, details: { filter: given } }),
    ),
  ]);
  return {
    rows: page.rows.map((row) => shownRow(row, person)),
    resume: page.rows[0]?.receivedAt ?? since ?? new Date(receivedAt).toISOString(),
    skipped: !first && page.cursor !== null,
  };
}
