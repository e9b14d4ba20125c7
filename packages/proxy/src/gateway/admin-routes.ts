/** The routes of the admin API, and who may call each. */
import type { AdminCall } from "./admin-request.ts";
import * as Keys from "./key-admin.ts";
import type { KnownKey } from "./key-directory.ts";
import * as KeyListing from "./key-listing.ts";
import { regenerateKey } from "./key-rotation.ts";
import { callableModels, modelInfo, openAiList } from "./model-listing.ts";
import * as Reports from "./report-admin.ts";
import * as SpendReconcile from "./spend-reconcile.ts";
import * as Teams from "./team-admin.ts";
import * as Users from "./user-admin.ts";

type Handler = (call: AdminCall, key: KnownKey | null) => unknown;
/** `open` to everybody, to any valid `key`, or to the `master` key alone. */
interface Route {
  access: "open" | "key" | "master";
  handler: Handler;
}
const master = (handler: Handler): Route => ({ access: "master", handler });
const anyKey = (handler: Handler): Route => ({ access: "key", handler });
const models: Handler = (call, key) => openAiList(callableModels(call.options.models(), key));
const info: Handler = (call, key) => modelInfo(callableModels(call.options.models(), key));

export const ROUTES: Record<string, Route> = {
  "POST /key/generate": master(Keys.generateKey),
  "POST /key/update": master(Keys.updateKey),
  "POST /key/delete": master(Keys.deleteKeys),
  // The seeds' own verb for it.
  "DELETE /key/delete": master(Keys.deleteKeys),
  "GET /key/info": anyKey(KeyListing.keyInfo),
  "GET /key/list": master(KeyListing.listKeys),
  "POST /key/block": master(Keys.blockKey),
  "POST /key/unblock": master(Keys.unblockKey),
  "POST /key/regenerate": master(regenerateKey),
  "POST /key/{key}/regenerate": master(regenerateKey),
  "POST /user/new": master(Users.newUser),
  "POST /user/update": master(Users.updateUser),
  "POST /user/delete": master(Users.deleteUsers),
  "GET /user/info": anyKey(Users.userInfo),
  "GET /user/daily/activity": anyKey(Reports.dailyActivity),
  "POST /team/new": master(Teams.newTeam),
  "POST /team/update": master(Teams.updateTeam),
  "POST /team/delete": master(Teams.deleteTeams),
  "POST /team/block": master(Teams.blockTeam),
  "POST /team/unblock": master(Teams.unblockTeam),
  "GET /team/info": master(Teams.teamInfo),
  "GET /spend/logs": master(Reports.spendLogs),
  "GET /spend/report": master(Reports.spendReport),
  "GET /spend/report/users": master(Reports.spendByUser),
  "GET /spend/report/models": master(Reports.requestsByModel),
  "GET /spend/report/budgets": master(Reports.keysNearBudget),
  "GET /spend/report/active-users": master(Reports.activeUsers),
  "POST /spend/unbooked": master(SpendReconcile.unbooked),
  "POST /spend/book": master(SpendReconcile.book),
  "GET /global/spend/report": master(Reports.globalReport),
  "GET /v1/models": anyKey(models),
  "GET /models": anyKey(models),
  "GET /v1/model/info": anyKey(info),
  "GET /model/info": anyKey(info),
  "GET /health": { access: "open", handler: () => ({ status: "healthy" }) },
  "GET /health/liveliness": { access: "open", handler: () => "I'm alive!" },
  "GET /health/liveness": { access: "open", handler: () => "I'm alive!" },
};
export const READINESS = "/health/readiness";
export const PATHS = new Set([
  ...Object.keys(ROUTES).map((route) => route.slice(route.indexOf(" ") + 1)),
  READINESS,
]);
const REGENERATE = /^\/key\/([^/]+)\/regenerate$/;

/** The route's name for logs and audit, and the key in the path, which is in neither. */
export function adminRoute(path: string): { name: string; key: string | null } {
  const match = REGENERATE.exec(path);
  if (!match) return { name: path, key: null };
  try {
    return { name: "/key/{key}/regenerate", key: decodeURIComponent(match[1] ?? "") };
  } catch {
    return { name: "/key/{key}/regenerate", key: match[1] ?? "" };
  }
}
