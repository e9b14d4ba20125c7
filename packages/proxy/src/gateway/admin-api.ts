/** The gateway's administration over HTTP: LiteLLM's routes, shapes, errors and statuses (reference/litellm-compat). */
import type { IncomingMessage, ServerResponse } from "node:http";
import { errorBody, INTERNAL } from "@central-llm/core/api-error";
import { DATABASE_UNAVAILABLE, INVALID_KEY, MISSING_KEY } from "@central-llm/core/rate-limit";
import { hashKey, keyOf, sameSecret } from "@central-llm/core/virtual-key";
import {
  type Actor,
  type AdminCall,
  AdminError,
  type AdminHooks,
  type AdminOptions,
  badRequest,
  InvalidBody,
  readJson,
} from "./admin-request.ts";
import { adminRoute, PATHS, READINESS, ROUTES } from "./admin-routes.ts";
import { isUnavailable } from "./database.ts";
import { KeyDirectory, type KnownKey } from "./key-directory.ts";

export interface AdminApi {
  /** Whether the path, without its query, is one of these routes, whatever the method. */
  handles(path: string): boolean;
  /** Answers the request; never rejects. @param hooks in place of the options', for this request */
  handle(request: IncomingMessage, response: ServerResponse, hooks?: AdminHooks): Promise<void>;
  keys: KeyDirectory;
  close(): Promise<void>;
}

function send(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Record<string, string> = {},
): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    ...headers,
  });
  response.end(body);
}

const refuse = (response: ServerResponse, { error, headers }: typeof INVALID_KEY) =>
  send(response, error.status, errorBody(error), headers);

function sendError(response: ServerResponse, error: unknown, onError: (error: unknown) => void): void {
  if (error instanceof InvalidBody) return send(response, 422, JSON.stringify({ detail: error.detail }));
  if (error instanceof AdminError) return send(response, error.error.status, errorBody(error.error));
  // What PostgreSQL cannot store: NUL in JSON, numbers beyond its types.
  if (/^22/.test(String((error as { code?: unknown } | null)?.code))) {
    return sendError(response, badRequest("A value in this request cannot be stored."), onError);
  }
  onError(error);
  if (isUnavailable(error)) return refuse(response, DATABASE_UNAVAILABLE);
  send(response, INTERNAL.status, errorBody(INTERNAL));
}

export function createAdminApi(options: AdminOptions): AdminApi {
  const keys = new KeyDirectory(options.database);
  const handles = (path: string) => PATHS.has(adminRoute(path).name);

  /** Who calls; null when the answer has been given already. */
  async function caller(
    request: IncomingMessage,
    response: ServerResponse,
    name: string,
    access: "key" | "master",
    hooks: AdminHooks,
  ): Promise<{ actor: Actor; key: KnownKey | null } | null> {
    const given = keyOf(request.headers);
    const by = request.headers["litellm-changed-by"];
    const changedBy = typeof by === "string" ? by.slice(0, 256) : null;
    const denied = (
      reason: "missing" | "invalid" | "not_allowed",
      keyId: string | null,
      answer: typeof INVALID_KEY,
    ) => {
      hooks.onDenied({ route: name, reason, keyId });
      refuse(response, answer);
      return null;
    };
    if (given === null) return denied("missing", null, MISSING_KEY);
    if (sameSecret(given, options.masterKey)) {
      const actor: Actor = { kind: "master", keyId: null, userId: null, changedBy };
      hooks.onCaller?.(actor, null);
      return { actor, key: null };
    }
    const key = given === "" ? null : await keys.find(hashKey(given));
    if (key === null) return denied("invalid", given === "" ? null : hashKey(given), INVALID_KEY);
    const actor: Actor = { kind: "key", keyId: key.token, userId: key.userId, changedBy: null };
    hooks.onCaller?.(actor, key);
    if (access === "master") {
      const error = {
        status: 403,
        type: "auth_error",
        code: "403",
        message: `Only the master key may call ${name}.`,
      };
      return denied("not_allowed", key.token, { error, headers: {} });
    }
    return { actor, key };
  }

  async function readiness(response: ServerResponse): Promise<void> {
    try {
      await options.database.pool.query("SELECT 1");
      send(response, 200, JSON.stringify({ status: "healthy", db: "connected" }));
    } catch {
      send(response, 503, JSON.stringify({ status: "unhealthy", db: "Not connected" }));
    }
  }

  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
    hooks: AdminHooks,
  ): Promise<void> {
    const url = new URL(request.url ?? "/", "http://gateway");
    const { name, key: named } = adminRoute(url.pathname);
    const method = request.method === "HEAD" ? "GET" : (request.method ?? "GET");
    if (name === READINESS && method === "GET") return readiness(response);
    const route = ROUTES[`${method} ${name}`];
    if (!route) {
      const status = PATHS.has(name) ? 405 : 404;
      return send(
        response,
        status,
        JSON.stringify({ detail: status === 405 ? "Method Not Allowed" : "Not Found" }),
      );
    }
    const nobody: Actor = { kind: "key", keyId: null, userId: null, changedBy: null };
    const who =
      route.access === "open"
        ? { actor: nobody, key: null }
        : await caller(request, response, name, route.access, hooks);
    if (who === null) {
      request.resume();
      return;
    }
    const body = method === "GET" ? {} : await readJson(request);
    const call: AdminCall = {
      actor: who.actor,
      query: url.searchParams,
      body,
      key: named,
      options: { ...options, ...hooks },
    };
    send(response, 200, JSON.stringify(await route.handler(call, who.key)));
  }

  return {
    handles,
    handle: (request, response, hooks = options) =>
      answer(request, response, hooks).catch((error) => sendError(response, error, options.onError)),
    keys,
    close: () => keys.stop(),
  };
}
