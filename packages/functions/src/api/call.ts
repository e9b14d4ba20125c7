/** One call of the API: what came in, checked against the contract, and who is asking. Handlers get nothing else. */
import type { Access } from "@central-llm/core/access-record";
import type { z } from "zod";
import type { ApiContext } from "./api-context.ts";
import type { ROUTES, RouteName } from "./contract.ts";
import type { Route } from "./contract-route.ts";
import { Failure } from "./failure.ts";
import { maySeeProject, type Person } from "./permission.ts";

type Parsed<Schema> = Schema extends z.ZodType ? z.output<Schema> : Record<string, never>;

export interface Call<R extends Route = Route> {
  person: Person;
  tokenExpiresAt: number | null;
  params: Parsed<R["params"]>;
  query: Parsed<R["query"]>;
  body: Parsed<R["body"]>;
  context: ApiContext;
  /** Epoch milliseconds. */
  receivedAt: number;
  remainingMs(): number;
  /**
   * Writes this access into the audit trail.
   * @returns the record's id
   * @throws {Failure} audit_unavailable: then nothing may be shown or done
   */
  audit(access: Partial<Access> & Pick<Access, "action">): Promise<string>;
}

export type Handler<R extends Route> = (
  call: Call<R>,
) => z.input<R["answer"]> | Promise<z.input<R["answer"]>>;
export type Handlers = { [Name in RouteName]: Handler<(typeof ROUTES)[Name]> };
/** The call that a route's handler gets. */
export type CallOf<Name extends RouteName> = Call<(typeof ROUTES)[Name]>;

/** @throws {Failure} forbidden */
export function requireProject(person: Person, projectId: string): void {
  if (maySeeProject(person, projectId)) return;
  throw new Failure("forbidden", "You may not see this project.", { projectId });
}

const DAY_MS = 86_400_000;
/** Ten years. */
const MAX_DAYS = 3_650;
/** Charts read an item a day, of up to 350 KB where there are thousands of users. */
export const MAX_CHART_DAYS = 400;

/**
 * The span as UTC with milliseconds; the last 24 hours when none was given.
 * @throws {Failure} invalid_request
 */
export function spanOf(
  query: { from?: string | undefined; to?: string | undefined },
  now: number,
  maxDays = MAX_DAYS,
) {
  const to = new Date(query.to ?? now).toISOString();
  const from = new Date(query.from ?? Date.parse(to) - DAY_MS).toISOString();
  if (Date.parse(to) - Date.parse(from) > maxDays * DAY_MS) {
    throw new Failure("invalid_request", `The range is over ${maxDays} days.`, [
      { path: "from", message: "choose a shorter range" },
    ]);
  }
  if (from < to) return { from, to };
  throw new Failure("invalid_request", "`from` must be before `to`.", [
    { path: "from", message: "not before `to`" },
  ]);
}
