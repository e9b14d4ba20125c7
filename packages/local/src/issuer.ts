/**
 * The OpenID Connect issuer of the local platform (oidc-provider): authorization code with PKCE, access tokens as JWTs of five
 * minutes, refresh tokens that rotate. It stands for Cognito, whose claims it imitates (`cognito:groups`, `username`).
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname } from "node:path";
import { exportJWK, generateKeyPair, type JWK } from "jose";
import Provider from "oidc-provider";
import { configuration, type IssuerSettings } from "./issuer-configuration.ts";
import { page, signInPage } from "./issuer-page.ts";

const MAX_FORM_BYTES = 4_096;

async function signingKey(file: string): Promise<JWK> {
  if (existsSync(file)) return JSON.parse(readFileSync(file, "utf8"));
  // API Gateway's authorizer knows RSA alone.
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  const key = { ...(await exportJWK(privateKey)), alg: "RS256", use: "sig", kid: "local-1" };
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(key), { mode: 0o600 });
  return key;
}

const sameText = (given: string, expected: string) => {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
};

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  let text = "";
  for await (const chunk of request) {
    text += chunk;
    if (text.length > MAX_FORM_BYTES) break;
  }
  return new URLSearchParams(text);
}

export interface Issuer {
  url: string;
  stop(): Promise<void>;
}

export async function startIssuer(settings: IssuerSettings): Promise<Issuer> {
  const key = await signingKey(settings.keyFile);
  const { accounts } = settings;
  let provider: Provider;
  let callback: (request: IncomingMessage, response: ServerResponse) => void;

  async function interaction(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const details = await provider.interactionDetails(request, response);
    const action = `/interaction/${details.uid}`;
    let failed = false;
    if (request.method === "POST") {
      const form = await readForm(request);
      const account = accounts.find(({ name }) => name === form.get("name"));
      if (account && sameText(form.get("password") ?? "", account.password)) {
        return provider.interactionFinished(request, response, { login: { accountId: account.name } });
      }
      failed = true;
    }
    response.writeHead(failed ? 401 : 200, {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
      "x-frame-options": "DENY",
    });
    response.end(
      signInPage(
        action,
        accounts.map(({ name }) => name),
        failed,
      ),
    );
  }

  const server = createServer((request, response) => {
    if (request.url === "/health") return void response.end("ok");
    if (!request.url?.startsWith("/interaction/")) return callback(request, response);
    interaction(request, response).catch((error: unknown) => {
      console.error("issuer:", error);
      if (response.headersSent) return response.destroy();
      response.writeHead(400, { "content-type": "text/html; charset=utf-8" });
      response.end(
        page("Sign in again", "<p>This sign-in has ended. Go back to the console and begin anew.</p>"),
      );
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(settings.port, "127.0.0.1", resolve);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  provider = new Provider(url, configuration(settings, key));
  callback = provider.callback();
  return {
    url,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
