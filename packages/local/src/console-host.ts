/**
 * The console on one origin, as CloudFront and API Gateway serve it: the built page, and below `/api` the function, behind a
 * check of the token.
 */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { consoleHeaders } from "./console-headers.ts";
import type { TokenCheck } from "./console-token.ts";
import type { LambdaFunction } from "./lambda-function.ts";
import * as LambdaHttp from "./lambda-http.ts";
import { type StaticSite, staticSite } from "./static-site.ts";

export interface ConsoleSettings {
  /** 0: any free one. */
  port: number;
  /** The built page; it need not be there yet. */
  siteFolder: string;
  issuer: string;
  check: TokenCheck;
  api: LambdaFunction;
}

export interface ConsoleHost {
  url: string;
  stop(): Promise<void>;
}

export async function startConsole(settings: ConsoleSettings): Promise<ConsoleHost> {
  const { api, check, issuer } = settings;
  const site: StaticSite = staticSite(settings.siteFolder);
  const headers = consoleHeaders(issuer);
  const fail = (response: ServerResponse, error: unknown) => {
    console.error("console:", error instanceof Error ? error.message : error);
    if (response.headersSent || response.destroyed) response.destroy();
    else LambdaHttp.fail(response, 500, "Internal Server Error");
  };

  const server = createServer(async (request, response) => {
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
    try {
      if (path === "/health") return void response.end("ok");
      // API Gateway's headers are the function's own; the rest is CloudFront's.
      if (path === "/config.json") return await LambdaHttp.handle(api, request, response);
      if (path === "/api" || path.startsWith("/api/")) {
        const claims = await check(request.headers.authorization);
        if (claims) return await LambdaHttp.handle(api, request, response, claims);
        request.resume();
        response.setHeader("www-authenticate", "Bearer");
        return LambdaHttp.fail(response, 401, "Unauthorized");
      }
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
      await site.serve(request, response, path);
    } catch (error) {
      fail(response, error);
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(settings.port, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
