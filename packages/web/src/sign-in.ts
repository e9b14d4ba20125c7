/**
 * Who is signed in: OpenID Connect, code flow with PKCE. Tokens live in this module's memory alone; a reload signs in
 * again through the issuer's own session, without a question. sessionStorage holds the verifier while the browser is
 * away at the issuer, and no token.
 */
import type { Config } from "@central-llm/functions/api/contract-person";
import { InMemoryWebStorage, type User, UserManager, WebStorageStateStore } from "oidc-client-ts";

export type State = "signed-out" | "signed-in" | "expired";

const SIGNED_OUT = "signed-out";
let config: Config;
let manager: UserManager;
let user: User | null = null;
let state: State = "signed-out";
const listeners = new Set<() => void>();

function become(next: State): void {
  state = next;
  for (const listener of listeners) listener();
}

export const current = () => state;
export const accessToken = () => user?.access_token ?? "";

export function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The API no longer takes the token, or it could not be renewed: what is on the page stays, behind a message. */
export function expire(): void {
  if (state === "signed-in") become("expired");
}

function place(): string {
  return location.pathname + location.search + location.hash;
}

/** @throws when the issuer answers with an error, or its answer is not to a question of this browser */
export async function start(given: Config): Promise<State> {
  config = given;
  manager = new UserManager({
    authority: config.issuer,
    client_id: config.clientId,
    redirect_uri: location.origin + config.redirectPath,
    post_logout_redirect_uri: location.origin + config.logoutPath,
    scope: config.scope,
    userStore: new WebStorageStateStore({ store: new InMemoryWebStorage() }),
    stateStore: new WebStorageStateStore({ store: sessionStorage }),
    // A minute before its end. Without a refresh token it would take an iframe, which the policy forbids.
    automaticSilentRenew: false,
  });
  manager.events.addUserLoaded((loaded) => {
    user = loaded;
  });
  manager.events.addAccessTokenExpiring(() => void renew());
  manager.events.addAccessTokenExpired(expire);
  if (location.pathname === config.redirectPath) {
    const signedIn = await manager.signinCallback();
    user = signedIn ?? null;
    const returnTo = (user?.state as { returnTo?: string } | undefined)?.returnTo ?? "/";
    // A path of this origin and nothing else: `//host` would be another one.
    history.replaceState(null, "", /^\/(?![/\\])/.test(returnTo) ? returnTo : "/");
    if (user) become("signed-in");
    return state;
  }
  if (sessionStorage.getItem(SIGNED_OUT) !== null) {
    sessionStorage.removeItem(SIGNED_OUT);
    return state;
  }
  await signIn();
  return state;
}

/** Leaves for the issuer, and comes back to this very address. */
export async function signIn(): Promise<void> {
  const returnTo = location.pathname === config.redirectPath ? "/" : place();
  await manager.signinRedirect({ state: { returnTo } });
  // The page is on its way out: nothing after this may render.
  await new Promise(() => {});
}

async function renew(): Promise<void> {
  if (!user?.refresh_token) return;
  try {
    await manager.signinSilent();
  } catch {
    // Its token still counts until it ends; then `addAccessTokenExpired` says so to the person.
  }
}

/** Ends the session here and at the issuer. */
export async function signOut(): Promise<void> {
  sessionStorage.setItem(SIGNED_OUT, "");
  if (config.logoutUrl === null) {
    await manager.signoutRedirect();
    return;
  }
  await manager.removeUser();
  const url = new URL(config.logoutUrl);
  url.searchParams.set("client_id", config.clientId);
  url.searchParams.set("logout_uri", location.origin + config.logoutPath);
  location.assign(url);
}
