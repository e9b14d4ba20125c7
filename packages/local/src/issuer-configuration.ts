/** How oidc-provider is set up to stand for Cognito: one public client, PKCE, JWT access tokens, rotating refresh tokens. */
import { createHash } from "node:crypto";
import type { JWK } from "jose";
import type { Configuration } from "oidc-provider";
import type { Account } from "./console-accounts.ts";
import { page, STYLE_POLICY_SOURCE } from "./issuer-page.ts";
import { issuerStore } from "./issuer-store.ts";

export const CLIENT_ID = "central-llm-console";
export const GROUPS_CLAIM = "cognito:groups";
const ACCESS_TOKEN_SECONDS = 300;
const SESSION_SECONDS = 8 * 3_600;
const RESOURCE = "urn:central-llm:console";

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

export function configuration(settings: IssuerSettings, key: JWK): Configuration {
  const { accounts, consoleOrigin } = settings;
  const seconds = settings.accessTokenSeconds ?? ACCESS_TOKEN_SECONDS;
  const styleHash = createHash("sha256").update(STYLE_POLICY_SOURCE).digest("base64");
  return {
    adapter: issuerStore(),
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
