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
import Provider, { type Configuration } from "oidc-provider";
import type { Account } from "./console-accounts.ts";
import { page, STYLE_POLICY_SOURCE, signInPage } from "./issuer-page.ts";

export const CLIENT_ID = "central-llm-console";
export const GROUPS_CLAIM = "cognito:groups";
const ACCESS_TOKEN_SECONDS = 300;
const SESSION_SECONDS = 8 * 3_600;
const RESOURCE = "urn:central-llm:console";
const MAX_FORM_BYTES = 4_096;

export interface IssuerSettings {
  /** 0: any free one. */
  port: number;
  /** Where the page is served: redirects lead there, and nowhere else. */
  consoleOrigin: string;
  accounts: Account[];
  /** Keeps the signing key, so that tokens outlive a restart. */
  keyFile: string;
  accessTokenSeconds?: number;
}

async function signingKey(file: string): Promise<JWK> {
  if (existsSync(file)) return JSON.parse(readFileSync(file, "utf8"));
  // API Gateway's authorizer knows RSA alone.
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  const key = { ...(await exportJWK(privateKey)), alg: "RS256", use: "sig", kid: "local-1" };
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(key), { mode: 0o600 });
  return key;
}

function configuration(settings: IssuerSettings, key: JWK): Configuration {
  const { accounts, consoleOrigin } = settings;
  const seconds = settings.accessTokenSeconds ?? ACCESS_TOKEN_SECONDS;
  const styleHash = createHash("sha256").update(STYLE_POLICY_SOURCE).digest("base64");
  return {
    jwks: { keys: [key as never] },
    clients: [
      {
        client_id: CLIENT_ID,
        token_endpoint_auth_method: "none",
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
        redirect_uris: [`${consoleOrigin}/callback`],
        post_logout_redirect_uris: [`${consoleOrigin}/`],
      },
    ],
    pkce: { required: () => true },
    scopes: ["openid", "email", "profile", "offline_access"],
    claims: { openid: ["sub"], email: ["email"], profile: ["name"] },
    clientBasedCORS: (_ctx, origin) => origin === consoleOrigin,
    // As Cognito does, which has no `offline_access`.
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed("refresh_token"),
    rotateRefreshToken: true,
    ttl: {
      AccessToken: seconds,
      IdToken: seconds,
      RefreshToken: SESSION_SECONDS,
      Session: SESSION_SECONDS,
      Grant: SESSION_SECONDS,
      Interaction: 900,
    },
    findAccount: (_ctx, id) => {
      const account = accounts.find(({ name }) => name === id);
      if (!account) return undefined;
      return { accountId: id, claims: () => ({ sub: id, name: id, email: `${id}@localhost` }) };
    },
    extraTokenClaims: (_ctx, token) => {
      const { accountId = "" } = token as { accountId?: string };
      const groups = accounts.find(({ name }) => name === accountId)?.groups ?? [];
      return { [GROUPS_CLAIM]: groups, username: accountId, token_use: "access" };
    },
    // The one client is ours: nobody is asked for consent to it.
    loadExistingGrant: async (ctx) => {
      const { client, session } = ctx.oidc;
      if (!client || !session?.accountId) return undefined;
      const known = session.grantIdFor(client.clientId);
      const found = known && (await ctx.oidc.provider.Grant.find(known));
      if (found) return found;
      const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope("openid email profile");
      grant.addResourceScope(RESOURCE, "openid email profile");
      await grant.save();
      return grant;
    },
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    cookies: { keys: [createHash("sha256").update(JSON.stringify(key)).digest("hex")] },
    features: {
      devInteractions: { enabled: false },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => RESOURCE,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: "openid email profile",
          audience: CLIENT_ID,
          accessTokenTTL: seconds,
          accessTokenFormat: "jwt" as const,
          jwt: { sign: { alg: "RS256" as const } },
        }),
      },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => {
          ctx.set(
            "content-security-policy",
            `default-src 'none'; style-src 'sha256-${styleHash}'; frame-ancestors 'none'`,
          );
          ctx.body = page(
            "Sign out of Central LLM?",
            `${form}<button type="submit" form="op.logoutForm" name="logout" value="yes">Sign out</button>`,
          );
        },
      },
    },
  };
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
