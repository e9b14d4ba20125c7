/** The console as `npm start` serves it: real issuer, real tokens, the API behind them. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateKeyPair, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Account, accountsFile } from "./console-accounts.ts";
import { CLIENT_ID } from "./issuer-configuration.ts";
import { freeOffset, type Instance, LocalPlatforms } from "./testing/local-platform.ts";
import { refresh, SignInFailed, signIn, type Tokens } from "./testing/sign-in.ts";

let folder: string;
let platforms: LocalPlatforms;
let instance: Instance;
let url: string;
let accounts: Account[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "central-llm-console-"));
  const site = join(folder, "site");
  await mkdir(join(site, "assets"), { recursive: true });
  await writeFile(join(site, "index.html"), "<!doctype html><title>the page</title>");
  await writeFile(join(site, "assets", "app-1.js"), "export {};");
  await writeFile(join(folder, "secret.txt"), "not of the site");
  platforms = new LocalPlatforms(folder);
  instance = await platforms.start("a", await freeOffset(), [], { SITE_DIR: site, ROLLUP_EVERY: "1" });
  url = instance.env.CONSOLE_URL ?? "";
  accounts = JSON.parse(await readFile(accountsFile({ console: join(folder, "a", "console") }), "utf8"));
});
afterAll(async () => {
  await platforms.stop(instance);
  await rm(folder, { recursive: true, force: true });
});

const signInAs = (name: string) =>
  signIn(url, name, accounts.find((account) => account.name === name)?.password ?? "");
const api = (path: string, token: string | null, init: RequestInit = {}) =>
  fetch(`${url}${path}`, {
    ...init,
    headers: {
      ...(token !== null && { authorization: `Bearer ${token}` }),
      "content-type": "application/json",
    },
  });
// biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects
const json = async (answer: Promise<Response>): Promise<any> => (await answer).json();
const payload = ({ access_token }: Tokens) =>
  JSON.parse(Buffer.from(access_token.split(".")[1] ?? "", "base64url").toString());

test("every account signs in with its role, and the supervisor says how", async () => {
  for (const { name, password, groups } of accounts) {
    const { tokens } = await signInAs(name);
    const me = await json(api("/api/me", tokens.access_token));
    expect(me).toMatchObject({ name, roles: [groups[0]] });
    expect(me.projects).toEqual(name === "project-viewer" ? ["smoke-test"] : null);
    expect(payload(tokens).exp - payload(tokens).iat).toBe(300);
    expect(instance.output.join("\n")).toContain(`${name} / ${password}`);
  }
  await expect(signIn(url, "admin", "wrong")).rejects.toThrow(SignInFailed);
  await expect(signIn(url, "nobody", "")).rejects.toThrow(SignInFailed);
});

describe("without a valid token", () => {
  test.each([
    ["none", async () => null],
    ["no JWT", async () => "made-up"],
    ["a changed one", async () => `${(await signInAs("viewer")).tokens.access_token.slice(0, -4)}AAAA`],
    [
      "one signed by somebody else",
      async () => {
        const { privateKey } = await generateKeyPair("RS256");
        const issuer = ((await (await fetch(`${url}/config.json`)).json()) as { issuer: string }).issuer;
        return new SignJWT({ "cognito:groups": ["admin"], token_use: "access" })
          .setProtectedHeader({ alg: "RS256", kid: "local-1" })
          .setIssuer(issuer)
          .setAudience(CLIENT_ID)
          .setSubject("admin")
          .setExpirationTime("5m")
          .sign(privateKey);
      },
    ],
    [
      "an unsigned one",
      async () => {
        const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
        return `${part({ alg: "none" })}.${part({ sub: "admin", aud: CLIENT_ID, "cognito:groups": ["admin"] })}.`;
      },
    ],
  ])("%s: 401", async (_, token) => {
    const answer = await api("/api/audit", await token());
    expect(answer.status).toBe(401);
    await answer.body?.cancel();
  });
});

test("an id token opens nothing", async () => {
  const { tokens } = await signInAs("admin");
  expect((await api("/api/audit", tokens.id_token)).status).toBe(403);
});

test("refresh tokens rotate, and one that was used ends them all; signing out ends the session", async () => {
  const session = await signInAs("auditor");
  const first = await refresh(session, session.tokens.refresh_token);
  expect(first.status).toBe(200);
  const next = (await first.json()) as Tokens;
  expect(next.refresh_token).not.toBe(session.tokens.refresh_token);
  expect((await api("/api/me", next.access_token)).status).toBe(200);
  expect((await refresh(session, session.tokens.refresh_token)).status).toBe(400);
  expect((await refresh(session, next.refresh_token)).status).toBe(400);

  const again = await signInAs("auditor");
  const query = new URLSearchParams({
    id_token_hint: again.tokens.id_token,
    post_logout_redirect_uri: `${url}/`,
  });
  const ask = await again.browse(`${again.issuer.end_session_endpoint}?${query}`);
  const page = await ask.text();
  const xsrf = /name="xsrf" value="([^"]+)"/.exec(page)?.[1] ?? "";
  const action = /action="([^"]+)"/.exec(page)?.[1] ?? "";
  const out = await again.browse(action, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ xsrf, logout: "yes" }).toString(),
  });
  expect(out.headers.get("location")).toBe(`${url}/`);
  expect((await refresh(again, again.tokens.refresh_token)).status).toBe(400);
});

test("the issuer redirects to the console alone, and only it may read tokens across origins", async () => {
  const { issuer } = await signInAs("viewer");
  const query = new URLSearchParams({
    client_id: CLIENT_ID,
    response_type: "code",
    scope: "openid",
    redirect_uri: "https://evil.example.com/callback",
    code_challenge: "x".repeat(43),
    code_challenge_method: "S256",
  });
  expect((await fetch(`${issuer.authorization_endpoint}?${query}`, { redirect: "manual" })).status).toBe(400);
  query.set("redirect_uri", `${url}/callback`);
  query.delete("code_challenge");
  const without = await fetch(`${issuer.authorization_endpoint}?${query}`, { redirect: "manual" });
  expect(without.headers.get("location")).toContain("error=invalid_request");
  for (const [origin, allowed] of [
    [url, url],
    ["https://evil.example.com", null],
  ] as const) {
    const answer = await fetch(issuer.token_endpoint ?? "", {
      method: "POST",
      headers: { origin, "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({ grant_type: "authorization_code", code: "x", client_id: CLIENT_ID }),
    });
    expect(answer.headers.get("access-control-allow-origin")).toBe(allowed);
    await answer.body?.cancel();
  }
});

test("the page is served with its headers, deep links lead to it, nothing else is", async () => {
  const page = await fetch(`${url}/audit/some-record`);
  expect(await page.text()).toContain("the page");
  expect(Object.fromEntries(page.headers)).toMatchObject({
    "content-security-policy": expect.stringMatching(
      /^default-src 'self'; connect-src 'self' http:\/\/127\.0\.0\.1:\d+;/,
    ),
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
  });
  expect(page.headers.get("content-security-policy")).not.toContain("unsafe");
  const asset = await fetch(`${url}/assets/app-1.js`);
  expect(asset.headers.get("cache-control")).toContain("immutable");
  expect(asset.headers.get("content-type")).toContain("text/javascript");
  for (const path of ["/assets/none.js", "/..%2fsecret.txt", "/%2e%2e/secret.txt", "/%00.js", "/%zz.js"]) {
    const answer = await fetch(`${url}${path}`);
    expect([404, 200], path).toContain(answer.status);
    expect(await answer.text()).not.toContain("not of the site");
  }
  expect((await fetch(`${url}/`, { method: "POST" })).status).toBe(405);
});

test("an admin makes, limits, rotates and blocks keys of the gateway; others see them at most", async () => {
  const { tokens } = await signInAs("admin");
  const send = (method: string, path: string, body: object = {}) =>
    api(path, tokens.access_token, { method, body: JSON.stringify(body) });
  const chat = (key: string) =>
    fetch(`${instance.env.GATEWAY_URL}/v1/models`, { headers: { authorization: `Bearer ${key}` } });

  const made = await send("POST", "/api/keys", {
    alias: "team-a",
    userId: "ann",
    rpmLimit: 7,
    maxBudgetUsd: 5,
  });
  expect(made.status).toBe(201);
  const { key, secret } = (await made.json()) as { key: Record<string, unknown>; secret: string };
  expect(key).toMatchObject({ alias: "team-a", userId: "ann", rpmLimit: 7, maxBudgetUsd: 5, blocked: false });
  expect((await chat(secret)).status).toBe(200);

  const path = `/api/keys/${key.keyId}`;
  const changed = await json(send("PATCH", path, { rpmLimit: 9, maxBudgetUsd: null }));
  expect(changed.key).toMatchObject({ rpmLimit: 9, maxBudgetUsd: null, alias: "team-a" });
  expect((await json(send("POST", `${path}/block`))).key.blocked).toBe(true);
  await vi.waitFor(async () => expect((await chat(secret)).status).not.toBe(200), { timeout: 60_000 });
  expect((await json(send("POST", `${path}/unblock`))).key.blocked).toBe(false);

  const rotated = await json(send("POST", `${path}/rotate`));
  expect(rotated.key.keyId).not.toBe(key.keyId);
  await vi.waitFor(async () => expect((await chat(rotated.secret)).status).toBe(200), { timeout: 60_000 });
  await vi.waitFor(async () => expect((await chat(secret)).status).toBe(401), { timeout: 60_000 });
  expect((await send("POST", `${path}/block`)).status).toBe(404);
  const taken = await send("POST", "/api/keys", { alias: "team-a" });
  expect([taken.status, (await json(Promise.resolve(taken))).error.code]).toEqual([422, "gateway_refused"]);

  const { tokens: reader } = await signInAs("operator");
  const listed = await json(api("/api/keys?alias=team-a", reader.access_token));
  expect(listed).toMatchObject({ total: 1, keys: [{ keyId: rotated.key.keyId }] });
  expect(JSON.stringify(listed)).not.toContain(rotated.secret);
  const { budgets } = await json(api("/api/budgets", reader.access_token));
  expect(budgets.every(({ used }: { used: number }) => used >= 0)).toBe(true);
  // Who did it is in the trail before the gateway was asked.
  await vi.waitFor(
    async () => {
      const log = await json(api("/api/access-log?user=admin", tokens.access_token));
      const actions = log.entries.map(({ action }: { action: string }) => action);
      expect(actions).toEqual(
        expect.arrayContaining(["create_key", "change_key", "block_key", "unblock_key", "rotate_key"]),
      );
    },
    { timeout: 60_000, interval: 300 },
  );
});

test("a call is found, charted and exported within seconds", async () => {
  const { tokens } = await signInAs("auditor");
  const ask = (path: string, init?: RequestInit) => json(api(path, tokens.access_token, init));
  const call = await fetch(`${instance.env.CENTRAL_URL}/v1/chat/completions`, {
    method: "POST",
    headers: {
      "x-api-key": instance.env.CENTRAL_API_KEY ?? "",
      "content-type": "application/json",
      "x-llm-source": "smoke-test",
      "x-llm-user": "=cmd|calc",
      "x-llm-request-type": "chat",
    },
    body: JSON.stringify({
      model: "ministral-8b-instruct",
      messages: [{ role: "user", content: "ping" }],
      max_tokens: 8,
    }),
  });
  expect(call.status).toBe(200);
  const id = call.headers.get("x-request-id") ?? "";
  await vi.waitFor(async () => expect((await ask(`/api/audit?requestId=${id}`)).rows).toHaveLength(1), {
    timeout: 60_000,
    interval: 200,
  });
  await vi.waitFor(
    async () => expect((await ask("/api/series?interval=1h")).total.requests).toBeGreaterThan(0),
    { timeout: 60_000, interval: 200 },
  );
  const span = { from: new Date(Date.now() - 3_600_000).toISOString(), to: new Date().toISOString() };
  const { id: jobId } = await ask("/api/exports", {
    method: "POST",
    body: JSON.stringify({ format: "csv", filter: span, reason: "a test of exports" }),
  });
  await vi.waitFor(async () => expect((await ask(`/api/exports/${jobId}`)).state).toBe("done"), {
    timeout: 60_000,
    interval: 200,
  });
  const link = await ask(`/api/exports/${jobId}/link`, { method: "POST", body: "{}" });
  const file = await fetch(link.url);
  expect(file.headers.get("content-disposition")).toContain(link.fileName);
  const csv = await file.text();
  expect(csv).toContain(id);
  expect(csv).toContain(",'=cmd|calc,");
});
