/** Routes that read the trail. */
import { z } from "zod";
import * as Access from "./contract-access.ts";
import * as Audit from "./contract-audit.ts";
import * as Chart from "./contract-chart.ts";
import * as Overview from "./contract-overview.ts";
import * as Person from "./contract-person.ts";
import * as Record from "./contract-record.ts";
import { route } from "./contract-route.ts";

const record = { params: Record.RecordParams, query: Record.RecordQuery };

export const READING = {
  config: route({
    method: "GET",
    path: "/config.json",
    summary: "How the page signs in",
    permission: "public",
    answer: Person.Config,
  }),
  openApi: route({
    method: "GET",
    path: "/api/openapi.json",
    summary: "This contract as an OpenAPI 3.1 document",
    permission: "signed-in",
    answer: z.looseObject({ openapi: z.string() }),
  }),
  me: route({
    method: "GET",
    path: "/api/me",
    summary: "Who is signed in, and what they may do",
    permission: "signed-in",
    answer: Person.Me,
  }),
  audit: route({
    method: "GET",
    path: "/api/audit",
    summary: "Find records",
    permission: "audit.read",
    query: Audit.AuditQuery,
    answer: Audit.AuditPage,
  }),
  tail: route({
    method: "GET",
    path: "/api/tail",
    summary: "Records as they come",
    permission: "audit.read",
    query: Audit.TailQuery,
    answer: Audit.Tail,
  }),
  record: route({
    method: "GET",
    path: "/api/audit/{id}",
    summary: "One record without its content",
    permission: "audit.read",
    ...record,
    answer: Record.RecordAnswer,
  }),
  body: route({
    method: "POST",
    path: "/api/audit/{id}/body",
    summary: "The whole record, for a stated reason",
    permission: "body.read",
    ...record,
    body: Record.BodyRequest,
    answer: Record.BodyAnswer,
  }),
  proof: route({
    method: "GET",
    path: "/api/audit/{id}/proof",
    summary: "Whether the record is what was written",
    permission: "audit.read",
    ...record,
    answer: Record.ProofAnswer,
  }),
  views: route({
    method: "GET",
    path: "/api/audit/{id}/views",
    summary: "Who looked at the record",
    permission: "audit.read",
    ...record,
    answer: Access.Views,
  }),
  neighbours: route({
    method: "GET",
    path: "/api/audit/{id}/neighbours",
    summary: "The same user's calls around it",
    permission: "audit.read",
    params: Record.RecordParams,
    query: Record.NeighboursQuery,
    answer: Record.Neighbours,
  }),
  facets: route({
    method: "GET",
    path: "/api/facets",
    summary: "The values of filters with their counts",
    permission: "audit.read",
    query: Chart.FacetsQuery,
    answer: Chart.Facets,
  }),
  series: route({
    method: "GET",
    path: "/api/series",
    summary: "Traffic, errors, latency, tokens and cost over time",
    permission: "audit.read",
    query: Chart.SeriesQuery,
    answer: Chart.Series,
  }),
  overview: route({
    method: "GET",
    path: "/api/overview",
    summary: "Health and figures",
    permission: "overview.read",
    query: Overview.OverviewQuery,
    answer: Overview.Overview,
  }),
  completeness: route({
    method: "GET",
    path: "/api/completeness",
    summary: "Whether a window of the trail is complete",
    permission: "completeness.read",
    query: Overview.CompletenessQuery,
    answer: Overview.Completeness,
  }),
} as const;
