/** What one call of the admin API carries, and the errors that it ends with, in LiteLLM's shapes. */
import type { IncomingMessage } from "node:http";
import type { ApiError } from "@central-llm/core/api-error";
import type { Tiers } from "@central-llm/core/virtual-key";
import type pg from "pg";
import type { z } from "zod";
import { type Database, transaction } from "./database.ts";
import type { KnownKey } from "./key-directory.ts";

/** Who acts: the holder of the master key, or of a virtual key (by its hash). */
export interface Actor {
  kind: "master" | "key";
  keyId: string | null;
  userId: string | null;
  /** LiteLLM's `litellm-changed-by` header: whom the holder acts for. */
  changedBy: string | null;
}

/** One change, for the audit. Holds hashes of keys, never a key. */
export interface AdminAction {
  at: string;
  actor: Actor;
  /** `key.generate`, `user.delete` … */
  action: string;
  target: { kind: "key" | "user" | "team" | "spend"; id: string; alias: string | null };
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
}

export interface ModelEntry {
  name: string;
  /** Other names that it can be called by. */
  aliases: string[];
  /** LiteLLM's `litellm_params` and `model_info`, without secrets. */
  params: Record<string, unknown>;
  info: Record<string, unknown>;
}

/** Who is told of what happens. */
export interface AdminHooks {
  /**
   * Called before the change is committed; when it rejects, the change is undone and the call fails: nothing is done that
   * the audit does not know.
   */
  onAdminAction(action: AdminAction): void | Promise<void>;
  /** A call that was refused for its key; `reason` says which. Never holds the key. */
  onDenied(denied: {
    route: string;
    reason: "missing" | "invalid" | "not_allowed";
    /** Of the key that came, also of one that nobody knows. */
    keyId: string | null;
  }): void;
  /** Who calls, once that is known; the key is null for the master key's holder. */
  onCaller?(actor: Actor, key: KnownKey | null): void;
}

export interface AdminOptions extends AdminHooks {
  database: Database;
  masterKey: string;
  tiers: Tiers;
  models(): ModelEntry[];
  /** Errors that the client is told nothing of. */
  onError(error: unknown): void;
}

export interface AdminCall {
  actor: Actor;
  query: URLSearchParams;
  body: unknown;
  /** What `{key}` in the route's path stands for. */
  key: string | null;
  options: AdminOptions;
}

export class AdminError extends Error {
  readonly error: ApiError;
  constructor(status: number, type: string, message: string, param: string | null = null) {
    super(message);
    this.name = "AdminError";
    this.error = { status, type, code: String(status), message, param };
  }
}

export const notFound = (what: string) => new AdminError(404, "not_found_error", `${what} was not found.`);
export const badRequest = (message: string, param: string | null = null) =>
  new AdminError(400, "bad_request_error", message, param);

/** 422 with FastAPI's body. */
export class InvalidBody extends Error {
  readonly detail: { loc: (string | number)[]; msg: string; type: string }[];
  constructor(detail: InvalidBody["detail"]) {
    super("invalid body");
    this.name = "InvalidBody";
    this.detail = detail;
  }
}

/** @param place where FastAPI would say that it was: `body` or `query` */
export function parsed<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  place: "body" | "query" = "body",
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new InvalidBody(
    result.error.issues.map((issue) => ({
      loc: [place, ...issue.path.map((part) => (typeof part === "number" ? part : String(part)))],
      msg: issue.message,
      type: issue.code ?? "invalid",
    })),
  );
}

export const queryOf = <Schema extends z.ZodType>(schema: Schema, call: AdminCall) =>
  parsed(schema, Object.fromEntries([...call.query].filter(([, value]) => value !== "")), "query");

/** Runs a change and tells the audit of it; both happen or neither. */
export function change<Result>(
  call: AdminCall,
  work: (
    client: pg.PoolClient,
    audit: (action: Pick<AdminAction, "action" | "target" | "before" | "after">) => void,
  ) => Promise<Result>,
): Promise<Result> {
  return transaction(call.options.database, async (client) => {
    const actions: AdminAction[] = [];
    const at = new Date().toISOString();
    const result = await work(client, (action) => {
      actions.push({ at, actor: call.actor, ...action });
    });
    for (const action of actions) await call.options.onAdminAction(action);
    return result;
  });
}

const MAX_BODY_BYTES = 1024 * 1024;

/** @throws InvalidBody, AdminError 413 */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new AdminError(413, "bad_request_error", "The body is over 1 MiB.");
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString("utf8");
  if (text.trim() === "") return {};
  try {
    return JSON.parse(text);
  } catch {
    throw new InvalidBody([{ loc: ["body"], msg: "JSON decode error", type: "json_invalid" }]);
  }
}
