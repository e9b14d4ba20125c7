/** Routes that do something: exports, dead letters, keys; and the log of such. */
import * as Access from "./contract-access.ts";
import * as DeadLetter from "./contract-dead-letter.ts";
import * as Export from "./contract-export.ts";
import * as Key from "./contract-key.ts";
import * as Overview from "./contract-overview.ts";
import * as Reconcile from "./contract-reconcile.ts";
import { route } from "./contract-route.ts";

const exported = { params: Export.ExportParams, permission: "export.use" } as const;
const key = { params: Key.KeyParams, permission: "key.write" } as const;

export const OPERATING = {
  createExport: route({
    method: "POST",
    path: "/api/exports",
    summary: "Start an export",
    permission: "export.use",
    body: Export.ExportRequest,
    answer: Export.Export,
    status: 202,
  }),
  exports: route({
    method: "GET",
    path: "/api/exports",
    summary: "One's exports",
    permission: "export.use",
    answer: Export.Exports,
  }),
  export: route({
    method: "GET",
    path: "/api/exports/{id}",
    summary: "One export",
    ...exported,
    answer: Export.Export,
  }),
  retryExport: route({
    method: "POST",
    path: "/api/exports/{id}/retry",
    summary: "Start a failed export again",
    ...exported,
    answer: Export.Export,
    status: 202,
  }),
  exportLink: route({
    method: "POST",
    path: "/api/exports/{id}/link",
    summary: "A link to the file",
    ...exported,
    answer: Export.ExportLink,
  }),
  deadLetters: route({
    method: "GET",
    path: "/api/dead-letters",
    summary: "Objects that could not become rows",
    permission: "dead-letter.read",
    query: DeadLetter.DeadLettersQuery,
    answer: DeadLetter.DeadLetters,
  }),
  replay: route({
    method: "POST",
    path: "/api/dead-letters/replay",
    summary: "Send them to ingest again",
    permission: "dead-letter.replay",
    body: DeadLetter.ReplayRequest,
    answer: DeadLetter.Replay,
  }),
  reconcile: route({
    method: "POST",
    path: "/api/reconcile",
    summary: "Look anew whether an hour is complete",
    permission: "reconcile.run",
    body: Reconcile.ReconcileRequest,
    answer: Reconcile.Reconcile,
  }),
  keys: route({
    method: "GET",
    path: "/api/keys",
    summary: "Virtual keys",
    permission: "key.read",
    query: Key.KeysQuery,
    answer: Key.Keys,
  }),
  createKey: route({
    method: "POST",
    path: "/api/keys",
    summary: "Make a key",
    permission: "key.write",
    body: Key.NewKey,
    answer: Key.KeySecret,
    status: 201,
  }),
  changeKey: route({
    method: "PATCH",
    path: "/api/keys/{id}",
    summary: "Change a key's limits",
    ...key,
    body: Key.KeyChange,
    answer: Key.KeyAnswer,
  }),
  rotateKey: route({
    method: "POST",
    path: "/api/keys/{id}/rotate",
    summary: "Replace a key's secret",
    ...key,
    answer: Key.KeySecret,
  }),
  blockKey: route({
    method: "POST",
    path: "/api/keys/{id}/block",
    summary: "Block a key",
    ...key,
    answer: Key.KeyAnswer,
  }),
  unblockKey: route({
    method: "POST",
    path: "/api/keys/{id}/unblock",
    summary: "Unblock a key",
    ...key,
    answer: Key.KeyAnswer,
  }),
  budgets: route({
    method: "GET",
    path: "/api/budgets",
    summary: "Budgets and what is used of them",
    permission: "budget.read",
    answer: Overview.Budgets,
  }),
  accessLog: route({
    method: "GET",
    path: "/api/access-log",
    summary: "Who used the console for what",
    permission: "access-log.read",
    query: Access.AccessQuery,
    answer: Access.AccessPage,
  }),
} as const;
