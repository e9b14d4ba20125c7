/**
 * Every route of the contract, called by every role, bound to projects or not. What each may do is written out here a second
 * time, so that a change of the table in `permission.ts` has to be made twice.
 */
import { sample } from "@central-llm/core/audit-record-sample";
import * as RollupRun from "@central-llm/core/rollup-run";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROUTES, type RouteName } from "./contract.ts";
import { type Answer, type ApiStage, startApi } from "./testing/api-stage.ts";

const PEOPLE = {
  viewer: ["viewer"],
  auditor: ["auditor"],
  operator: ["operator"],
  admin: ["admin"],
  "bound viewer": ["viewer", "project:mine"],
  "bound auditor": ["auditor", "project:mine"],
  "bound operator": ["operator", "project:mine"],
  "bound admin": ["admin", "project:mine"],
} as const;
type Who = keyof typeof PEOPLE;
const EVERYONE = Object.keys(PEOPLE) as Who[];

const AUDITORS: Who[] = ["auditor", "bound auditor"];
const MAY: Record<RouteName, Who[]> = {
  config: EVERYONE,
  openApi: EVERYONE,
  me: EVERYONE,
  audit: EVERYONE,
  tail: EVERYONE,
  record: EVERYONE,
  body: AUDITORS,
  proof: EVERYONE,
  views: EVERYONE,
  neighbours: EVERYONE,
  facets: EVERYONE,
  series: EVERYONE,
  overview: EVERYONE,
  completeness: EVERYONE,
  createExport: AUDITORS,
  exports: AUDITORS,
  export: AUDITORS,
  retryExport: AUDITORS,
  exportLink: AUDITORS,
  deadLetters: ["operator"],
  replay: ["operator"],
  reconcile: ["operator"],
  keys: ["auditor", "operator", "admin"],
  createKey: ["admin"],
  changeKey: ["admin"],
  rotateKey: ["admin"],
  blockKey: ["admin"],
  unblockKey: ["admin"],
  budgets: ["viewer", "auditor", "operator", "admin"],
  accessLog: ["auditor", "admin"],
};

const SPAN = { from: "2026-11-21T00:00:00Z", to: "2026-11-22T00:00:00Z" };
const QUERY: Partial<Record<RouteName, Record<string, string>>> = {
  audit: SPAN,
  facets: SPAN,
  series: SPAN,
  overview: SPAN,
  completeness: SPAN,
  accessLog: SPAN,
};
const BODY: Partial<Record<RouteName, unknown>> = {
  body: { reason: "ticket 4711" },
  createExport: { format: "csv", filter: SPAN, reason: "ticket 4711" },
  replay: { all: true, dryRun: true },
  reconcile: { hour: "2026-11-20T10:00:00.000Z" },
  createKey: { alias: "team-a" },
  changeKey: { rpmLimit: 5 },
};
const KEY_ID = "0".repeat(64);

const mine = sample({ projectId: "mine", userId: "ann" });
const theirs = sample({ projectId: "theirs", userId: "ann", receivedAt: "2026-11-21T10:00:05.000Z" });
/** Whatever an answer to a bound person tells of it, one of these words is in it. */
const secret = sample({
  projectId: "planted-project",
  userId: "planted-user",
  requestType: "planted-type",
  model: { requested: "planted-model", served: "planted-model", provider: "vllm" },
  receivedAt: "2026-11-21T10:00:07.000Z",
});

let api: ApiStage;

beforeAll(async () => {
  api = await startApi();
  await api.store(mine, theirs, secret);
  const hour = { from: Date.parse("2026-11-21T10:00:00Z"), to: Date.parse("2026-11-21T11:00:00Z") };
  await RollupRun.run(api.table, hour.to, { window: hour });
});
afterAll(() => api.stop());

function requestOf(name: RouteName, id: string, more: Record<string, string> = {}) {
  const { method, path } = ROUTES[name];
  const target = path.startsWith("/api/keys")
    ? KEY_ID
    : path.startsWith("/api/exports")
      ? "no-such-export"
      : id;
  const query = new URLSearchParams({ ...QUERY[name], ...more });
  return `${method} ${path.replace("{id}", target)}${query.size > 0 ? `?${query}` : ""}`;
}

const ask = (who: Who, name: RouteName, id: string, more?: Record<string, string>, body = BODY[name]) =>
  api.call(PEOPLE[who], requestOf(name, id, more), body, who);

/** Allowed is whatever is not refused for the role: an unknown key or export, or no gateway, come after that. */
const refused = ({ status, body }: Answer) =>
  status === 401 || (status === 403 && body.error.code === "forbidden");

test("the matrix names every route", () => {
  expect(Object.keys(MAY).sort()).toEqual(Object.keys(ROUTES).sort());
});

describe.each(Object.keys(ROUTES) as RouteName[])("%s", (name) => {
  test.each(EVERYONE)("%s", async (who) => {
    const answer = await ask(who, name, mine.requestId);
    expect(refused(answer), JSON.stringify(answer.body)).toBe(!MAY[name].includes(who));
    if (MAY[name].includes(who)) expect([200, 201, 202, 404, 503]).toContain(answer.status);
  });

  test("nobody without a token or without a role", async () => {
    const [without, roleless] = await Promise.all([
      api.call(null, requestOf(name, mine.requestId), BODY[name]),
      api.call(["project:mine"], requestOf(name, mine.requestId), BODY[name]),
    ]);
    if (name === "config") return expect([without.status, roleless.status]).toEqual([200, 200]);
    expect([without.status, roleless.status]).toEqual([401, 403]);
  });
});

/** Routes that say nothing of any project: who is asking, how to ask, one's own exports by their ids. */
const TELLS = (name: RouteName, who: Who) =>
  MAY[name].includes(who) && !["config", "openApi", "me"].includes(name);

describe.each(Object.keys(ROUTES) as RouteName[])("%s tells nothing of another's project", (name) => {
  test.each(EVERYONE.filter((who) => who.startsWith("bound") && TELLS(name, who)))("%s", async (who) => {
    const answer = await ask(who, name, mine.requestId);
    expect(JSON.stringify(answer.body)).not.toMatch(/planted|theirs/);
  });

  test.each(EVERYONE.filter((who) => who.startsWith("bound")))("%s, asked for it by project", async (who) => {
    if (!("query" in ROUTES[name]) || !("project" in (ROUTES[name].query as { shape: object }).shape)) return;
    const answer = await ask(who, name, secret.requestId, { project: "planted-project" });
    expect(answer.status, JSON.stringify(answer.body)).toBe(403);
  });
});

test("the words are there for those who may see every project", async () => {
  for (const name of ["audit", "facets", "overview"] as const) {
    expect(JSON.stringify((await ask("viewer", name, "")).body)).toContain("planted-project");
  }
});

const OF_A_RECORD = ["record", "body", "proof", "views", "neighbours"] as const;

describe.each(OF_A_RECORD)("%s of another's project", (name) => {
  test.each(EVERYONE)("%s", async (who) => {
    const answer = await ask(who, name, theirs.requestId);
    if (!MAY[name].includes(who)) return expect(answer.status).toBe(403);
    // That it exists is not told either.
    expect(answer.status).toBe(who.startsWith("bound") ? 404 : 200);
  });
});

describe.each(["audit", "tail", "facets", "series"] as const)("%s of another's project", (name) => {
  test.each(EVERYONE)("%s", async (who) => {
    const answer = await ask(who, name, "", { project: "theirs" });
    expect(answer.status).toBe(who.startsWith("bound") ? 403 : 200);
  });
});

test("a bound person's lists, neighbours and exports hold nothing of other projects", async () => {
  for (const who of EVERYONE) {
    const bound = who.startsWith("bound");
    const { body } = await ask(who, "audit", "");
    expect(new Set(body.rows.map((row: { projectId: string }) => row.projectId))).toEqual(
      new Set(bound ? ["mine"] : ["mine", "planted-project", "theirs"]),
    );
    const filters: Record<string, string>[] = [
      { user: "ann" },
      { status: "200", user: "ann" },
      { status: "2xx", user: "ann" },
      { requestId: theirs.requestId },
    ];
    for (const more of filters) {
      const { body: list } = await ask(who, "audit", "", more);
      const others = list.rows.filter((row: { projectId: string }) => row.projectId !== "mine");
      expect(others).toHaveLength(bound ? 0 : 1);
    }
    const { body: around } = await ask(who, "neighbours", mine.requestId);
    expect(around.after).toHaveLength(bound ? 0 : 1);
  }
  const filter = { ...SPAN, project: "theirs" };
  const exported = await ask(
    "bound auditor",
    "createExport",
    "",
    {},
    { format: "csv", filter, reason: "ticket 4711" },
  );
  expect(exported.status).toBe(403);
});

test("fields: previews, client addresses and the wording of errors are the auditors' alone", async () => {
  const failed = sample({
    projectId: "mine",
    receivedAt: "2026-11-21T11:00:00.000Z",
    statusCode: 502,
    outcome: "upstream_error",
    error: { type: "upstream", message: "it said: planted words" },
  });
  await api.store(failed);
  for (const who of EVERYONE) {
    const open = AUDITORS.includes(who);
    const { body: one } = await ask(who, "record", failed.requestId);
    expect(one.row.promptPreview === null).toBe(!open);
    expect(one.metadata.http.clientIp).toBe(open ? "203.0.113.9" : null);
    expect(one.metadata.error).toEqual({ type: "upstream", message: open ? "it said: planted words" : null });
    const masked = [
      "row.promptPreview",
      "row.responsePreview",
      "metadata.http.clientIp",
      "metadata.error.message",
    ];
    expect(one.hidden).toEqual(open ? [] : masked);
    const { body: list } = await ask(who, "audit", "", { previews: "true" });
    expect(list.rows.every((row: { promptPreview: unknown }) => (row.promptPreview === null) === !open)).toBe(
      true,
    );
    const text = await ask(who, "audit", "", { text: "quick brown" });
    expect(text.status).toBe(open ? 200 : 403);
    const log = await ask(who, "audit", "", { profile: "console" });
    expect(log.status).toBe(MAY.accessLog.includes(who) ? 200 : 403);
  }
});

test("an export is its owner's alone", async () => {
  const { body } = await api.call(["auditor"], "POST /api/exports", BODY.createExport, "ann");
  for (const path of [
    `GET /api/exports/${body.id}`,
    `POST /api/exports/${body.id}/link`,
    `POST /api/exports/${body.id}/retry`,
  ]) {
    expect((await api.call(["auditor"], path, {}, "bob")).status).toBe(404);
  }
  expect((await api.call(["auditor"], "GET /api/exports", undefined, "bob")).body.exports).toEqual([]);
  expect((await api.call(["auditor"], `GET /api/exports/${body.id}`, undefined, "ann")).status).toBe(200);
});
