/** What narrows a search down: which of its conditions an index answers, and which are held against each row that it gives. */
import { z } from "zod";
import { projectKey } from "./audit-index.ts";
import { type AuditQuery, MAX_PROJECTS } from "./audit-query.ts";
import { OUTCOMES, PROFILES } from "./audit-record.ts";
import { FLAGS } from "./audit-row.ts";
import type { ListedRow } from "./listed-row.ts";
import * as ModelTraffic from "./model-traffic.ts";
import { cutBytes } from "./preview.ts";

const Name = z.string().min(1).max(512);

export const AuditFilter = z.strictObject({
  project: Name.optional(),
  /** Rows of other projects are never given. */
  projects: z.array(Name).max(MAX_PROJECTS).optional(),
  user: Name.optional(),
  /** `404` or `4xx`. */
  status: z
    .string()
    .regex(/^(\d{3}|[1-5]xx)$/)
    .optional(),
  model: Name.optional(),
  outcome: z.enum(OUTCOMES).optional(),
  /** Without it, the console's own records are left out. The gateway's administration is found by its project or type alone. */
  profile: z.enum(PROFILES).optional(),
  requestType: Name.optional(),
  flag: z.enum(FLAGS).optional(),
  stream: z.boolean().optional(),
  minLatencyMs: z.number().nonnegative().optional(),
  maxLatencyMs: z.number().nonnegative().optional(),
  /** Anywhere in the previews, in any case. */
  text: z.string().min(1).max(200).optional(),
});
export type AuditFilter = z.infer<typeof AuditFilter>;

export interface Span {
  from: string;
  to: string;
}

/** Failures are rare: their index partition is read rather than the project's. */
const isRare = (status: string) => status.startsWith("4") || status.startsWith("5");

/** The index that has the fewest rows to pass over, by rule of thumb: user, rare status, project, status, everything. */
export function access(
  { project, projects, user, status }: AuditFilter,
  sort: "newest" | "slowest",
  { from, to }: Span,
): AuditQuery {
  const span = { from, to };
  if (sort === "slowest") return { by: "slowest", projectId: project ?? "", ...span };
  if (user !== undefined) return { by: "user", userId: user, ...span };
  if (status !== undefined && (isRare(status) || (project === undefined && projects === undefined))) {
    return status.endsWith("xx")
      ? { by: "statusClass", statusClass: Number(status[0]), ...span }
      : { by: "status", statusCode: Number(status), ...span };
  }
  if (project !== undefined) return { by: "project", projectId: project, ...span };
  if (projects !== undefined) return { by: "projects", projectIds: projects, ...span };
  return { by: "all", ...span };
}

/** As rows hold long names: see `audit-row.ts`. */
const cutTo = (value: string | undefined, bytes: number) =>
  value === undefined ? undefined : cutBytes(value, bytes);

/** Whether a row of an index passes; `text` is not looked at, since indexes hold no previews. */
export function listedPredicate(filter: AuditFilter): (row: ListedRow) => boolean {
  const { status, outcome, profile, flag, stream, minLatencyMs = 0, maxLatencyMs = Infinity } = filter;
  const statuses = status?.endsWith("xx") ? [Number(status[0]) * 100, Number(status[0]) * 100 + 99] : null;
  const user = cutTo(filter.user, 96);
  const model = cutTo(filter.model, 64);
  const requestType = cutTo(filter.requestType, 32);
  // By the key: a list holds long project names only as keys do.
  const project = filter.project === undefined ? undefined : projectKey(filter.project);
  const projects = filter.projects && new Set(filter.projects.map(projectKey));
  const administration =
    filter.requestType === ModelTraffic.ADMIN_TYPE || filter.project === ModelTraffic.ADMIN_PROJECT;
  return (row) =>
    (project === undefined || row.id === project) &&
    (projects === undefined || projects.has(row.id)) &&
    (user === undefined || row.userId === user) &&
    (status === undefined ||
      (statuses
        ? (row.statusCode ?? 0) >= (statuses[0] ?? 0) && (row.statusCode ?? 0) <= (statuses[1] ?? 0)
        : row.statusCode === Number(status))) &&
    (model === undefined || row.model === model) &&
    (outcome === undefined || row.outcome === outcome) &&
    (profile === undefined ? row.profile !== "console" : row.profile === profile) &&
    (requestType === undefined || row.requestType === requestType) &&
    (administration || !ModelTraffic.isAdministration(row)) &&
    (flag === undefined || row.flags?.includes(flag) === true) &&
    (stream === undefined || (row.stream === true) === stream) &&
    (row.latencyMs ?? 0) >= minLatencyMs &&
    (row.latencyMs ?? 0) <= maxLatencyMs;
}

export function previewPredicate(text: string): (row: ListedRow) => boolean {
  const wanted = text.toLowerCase();
  return ({ promptPreview = "", responsePreview = "" }) =>
    promptPreview.toLowerCase().includes(wanted) || responsePreview.toLowerCase().includes(wanted);
}
