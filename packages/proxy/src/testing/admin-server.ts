/** The admin API behind a real socket, with what it tells the audit. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { TIERS } from "@central-llm/core/virtual-key";
import { type AdminApi, createAdminApi } from "../gateway/admin-api.ts";
import type { AdminAction, AdminOptions } from "../gateway/admin-request.ts";
import type { Database } from "../gateway/database.ts";

export const MASTER_KEY = "sk-master-0123456789";

export interface AdminServer {
  url: string;
  api: AdminApi;
  actions: AdminAction[];
  denied: { route: string; reason: string; keyId: string | null }[];
  errors: unknown[];
  /** @param key sent as a bearer token; null: no key */
  // biome-ignore-start lint/suspicious/noExplicitAny: tests look into answers of every shape
  call(
    method: string,
    path: string,
    body?: unknown,
    key?: string | null,
  ): Promise<{ status: number; body: any }>;
  // biome-ignore-end lint/suspicious/noExplicitAny: see above
  close(): Promise<void>;
}

export async function adminServer(
  database: Database,
  more: Partial<AdminOptions> = {},
): Promise<AdminServer> {
  const actions: AdminAction[] = [];
  const denied: AdminServer["denied"] = [];
  const errors: unknown[] = [];
  const api = createAdminApi({
    database,
    masterKey: MASTER_KEY,
    tiers: TIERS,
    models: () =>
      ["claude-3-5-sonnet", "claude-3-opus"].map((name) => ({
        name,
        aliases: [],
        params: { model: `bedrock/${name}` },
        info: {},
      })),
    onAdminAction: (action) => {
      actions.push(action);
    },
    onDenied: (one) => {
      denied.push(one);
    },
    onError: (error) => {
      errors.push(error);
    },
    ...more,
  });
  const server: Server = createServer((request, response) => {
    api.handle(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    api,
    actions,
    denied,
    errors,
    async call(method, path, body, key = MASTER_KEY) {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: {
          "content-type": "application/json",
          ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      return { status: response.status, body: await response.json() };
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await api.close();
    },
  };
}
