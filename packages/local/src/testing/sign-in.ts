/** Signs in at the local console as a browser does: code flow with PKCE, cookies and forms, without a browser. */
import { createHash, randomBytes } from "node:crypto";

export interface Tokens {
  access_token: string;
  refresh_token: string;
  id_token: string;
  expires_in: number;
}

export interface Session {
  tokens: Tokens;
  /** A request to the issuer with the session's cookies. */
  browse(url: string | URL, init?: RequestInit): Promise<Response>;
  issuer: Record<string, string>;
  clientId: string;
}

export class SignInFailed extends Error {
  override name = "SignInFailed";
}

const FORM = { "content-type": "application/x-www-form-urlencoded" };

/** @throws {SignInFailed} with the status and the page's text */
export async function signIn(consoleUrl: string, name: string, password: string): Promise<Session> {
  const config = (await (await fetch(`${consoleUrl}/config.json`)).json()) as Record<string, string>;
  const discovery = await fetch(`${config.issuer}/.well-known/openid-configuration`);
  const issuer = (await discovery.json()) as Record<string, string>;
  const cookies = new Map<string, string>();
  const browse: Session["browse"] = async (url, init = {}) => {
    const cookie = [...cookies].map(([key, value]) => `${key}=${value}`).join("; ");
    const answer = await fetch(url, { ...init, redirect: "manual", headers: { ...init.headers, cookie } });
    for (const line of answer.headers.getSetCookie()) {
      const [pair = ""] = line.split(";", 1);
      const at = pair.indexOf("=");
      if (pair.length === at + 1) cookies.delete(pair.slice(0, at));
      else cookies.set(pair.slice(0, at), pair.slice(at + 1));
    }
    return answer;
  };
  const verifier = randomBytes(32).toString("base64url");
  const redirect = `${consoleUrl}${config.redirectPath}`;
  const query = new URLSearchParams({
    client_id: config.clientId ?? "",
    response_type: "code",
    scope: config.scope ?? "",
    redirect_uri: redirect,
    state: "a-state",
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
  });
  let answer = await browse(`${issuer.authorization_endpoint}?${query}`);
  for (let step = 0; step < 8; step++) {
    const location = answer.headers.get("location");
    if (!location) throw new SignInFailed(`${answer.status} ${await answer.text()}`);
    const next = new URL(location, config.issuer);
    if (next.href.startsWith(redirect)) {
      const exchange = await fetch(issuer.token_endpoint ?? "", {
        method: "POST",
        headers: FORM,
        body: new URLSearchParams({
          grant_type: "authorization_code",
          code: next.searchParams.get("code") ?? "",
          redirect_uri: redirect,
          client_id: config.clientId ?? "",
          code_verifier: verifier,
        }),
      });
      if (!exchange.ok) throw new SignInFailed(await exchange.text());
      return { tokens: (await exchange.json()) as Tokens, browse, issuer, clientId: config.clientId ?? "" };
    }
    const isForm = next.pathname.startsWith("/interaction/");
    answer = await browse(
      next,
      isForm
        ? { method: "POST", headers: FORM, body: new URLSearchParams({ name, password }).toString() }
        : {},
    );
  }
  throw new SignInFailed("redirected in circles");
}

export const refresh = (session: Session, refreshToken: string) =>
  fetch(session.issuer.token_endpoint ?? "", {
    method: "POST",
    headers: FORM,
    body: new URLSearchParams({
      grant_type: "refresh_token",
      refresh_token: refreshToken,
      client_id: session.clientId,
    }),
  });
