/** Calls to the console API. Types are the contract's; nothing of it but this table is in the page's code. */
import type { ROUTES } from "@central-llm/functions/api/contract";
import type { z } from "zod";
import { ApiError, fromResponse } from "./api-error.ts";
import * as SignIn from "./sign-in.ts";

type Routes = typeof ROUTES;
export type RouteName = Exclude<keyof Routes, "config" | "openApi">;

/** The compiler holds this against the contract: a changed path or method does not build. */
const PATHS: { [N in RouteName]: `${Routes[N]["method"]} ${Routes[N]["path"]}` } = {
  me: "GET /api/me",
  audit: "GET /api/audit",
  tail: "GET /api/tail",
  record: "GET /api/audit/{id}",
  body: "POST /api/audit/{id}/body",
  proof: "GET /api/audit/{id}/proof",
  views: "GET /api/audit/{id}/views",
  neighbours: "GET /api/audit/{id}/neighbours",
  facets: "GET /api/facets",
  series: "GET /api/series",
  overview: "GET /api/overview",
  completeness: "GET /api/completeness",
  createExport: "POST /api/exports",
  exports: "GET /api/exports",
  export: "GET /api/exports/{id}",
  retryExport: "POST /api/exports/{id}/retry",
  exportLink: "POST /api/exports/{id}/link",
  deadLetters: "GET /api/dead-letters",
  replay: "POST /api/dead-letters/replay",
  reconcile: "POST /api/reconcile",
  keys: "GET /api/keys",
  createKey: "POST /api/keys",
  changeKey: "PATCH /api/keys/{id}",
  rotateKey: "POST /api/keys/{id}/rotate",
  blockKey: "POST /api/keys/{id}/block",
  unblockKey: "POST /api/keys/{id}/unblock",
  budgets: "GET /api/budgets",
  accessLog: "GET /api/access-log",
};

type Part<N extends RouteName, P extends "params" | "query" | "body"> =
  Routes[N] extends Record<P, infer S extends z.ZodType> ? { [K in P]: z.input<S> } : unknown;
type OptionalQuery<N extends RouteName> =
  Part<N, "query"> extends { query: infer Q } ? { query?: Q } : unknown;

export type Input<N extends RouteName> = Part<N, "params"> & OptionalQuery<N> & Part<N, "body">;
export type Answer<N extends RouteName> = z.output<Routes[N]["answer"]>;

interface Parts {
  params?: Record<string, string>;
  query?: Record<string, unknown>;
  body?: unknown;
}

/**
 * Asks the API as the person who is signed in.
 * @throws {ApiError} when it refuses, fails or cannot be reached; `SignIn` hears of a 401 first
 */
export async function call<N extends RouteName>(
  name: N,
  input: Input<N>,
  signal?: AbortSignal,
): Promise<Answer<N>> {
  const { params = {}, query = {}, body } = input as Parts;
  const [method, template] = PATHS[name].split(" ") as [string, string];
  const path = template.replace(/\{(\w+)\}/g, (_, part: string) => encodeURIComponent(params[part] ?? ""));
  const search = new URLSearchParams(
    Object.entries(query).flatMap(([key, value]) =>
      value === undefined || value === null || value === "" ? [] : [[key, String(value)]],
    ),
  ).toString();
  let response: Response;
  try {
    response = await fetch(search === "" ? path : `${path}?${search}`, {
      method,
      headers: {
        authorization: `Bearer ${SignIn.accessToken()}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      credentials: "omit",
      cache: "no-store",
      signal: signal ?? null,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(
      0,
      "unreachable",
      "The server cannot be reached. Check your connection and try again.",
    );
  }
  if (response.ok) return response.json();
  if (response.status === 401) SignIn.expire();
  throw await fromResponse(response);
}
