/** `GET /api/overview`: the health of the trail and the figures of a span. */
import { ReceiveMessageCommand } from "@aws-sdk/client-sqs";
import * as AuditQuery from "@central-llm/core/audit-query";
import { latest } from "@central-llm/core/digest-ledger";
import { hours } from "@central-llm/core/reconcile-ledger";
import * as RollupQuery from "@central-llm/core/rollup-query";
import * as Tally from "@central-llm/core/rollup-tally";
import { trailStore } from "@central-llm/core/trail-store";
import type { ApiContext } from "./api-context.ts";
import { type CallOf, MAX_CHART_DAYS, spanOf } from "./call.ts";
import { asOf, ranked, reachOf } from "./charts.ts";
import type { Overview } from "./contract-overview.ts";
import { queueDepth } from "./dead-letters.ts";
import { findings } from "./trail-health.ts";

const HOUR_MS = 3_600_000;
const LOOK_BACK_HOURS = 48;
const TOP = 5;

export async function overview(call: CallOf<"overview">): Promise<Overview> {
  const { context, receivedAt: now } = call;
  const { from, to } = spanOf(call.query, now, MAX_CHART_DAYS);
  const window = RollupQuery.windowOf(Date.parse(from), Date.parse(to));
  const earlier = { from: 2 * window.from - window.to, to: window.from };
  const reach = reachOf(call, undefined);
  const { table } = context;
  const [figures, before, known, ingest, deadLetters, trail, chain] = await Promise.all([
    RollupQuery.facets(table, window, reach, ["project", "user", "model"]),
    RollupQuery.facets(table, earlier, reach, []),
    asOf(call),
    ingestState(context, now),
    deadLetterState(context),
    trailState(context, now),
    chainState(context, now),
  ]);
  const state = { ingest, deadLetters, trail, chain: chain.last, asOf: known };
  const top = (name: "project" | "user" | "model") =>
    ranked(figures.values.get(name) ?? new Map(), "", TOP).values;
  return {
    from: new Date(window.from).toISOString(),
    to: new Date(window.to).toISOString(),
    ...state,
    health: findings({ ...state, chainFault: chain.fault }, now),
    totals: Tally.figures(figures.total),
    before: Tally.figures(before.total),
    top: { project: top("project"), user: top("user"), model: top("model") },
  };
}

async function ingestState(context: ApiContext, now: number): Promise<Overview["ingest"]> {
  const span = { from: new Date(now - 24 * HOUR_MS).toISOString(), to: new Date(now + 60_000).toISOString() };
  const [waiting, newest] = await Promise.all([
    queueDepth(context, context.config.INGEST_QUEUE_URL),
    AuditQuery.page(context.table, { by: "all", ...span }, { limit: 1 }),
  ]);
  const newestRowAt = newest.rows[0]?.receivedAt ?? null;
  const behind = newestRowAt === null ? null : Math.max(now - Date.parse(newestRowAt), 0);
  return { waiting, newestRowAt, lagMs: waiting === 0 ? 0 : behind };
}

/** The oldest of a sample, which is left visible to everybody: SQS tells the true oldest only to CloudWatch. */
async function deadLetterState(context: ApiContext): Promise<Overview["deadLetters"]> {
  const QueueUrl = context.config.AUDIT_DLQ_URL;
  const count = await queueDepth(context, QueueUrl);
  if (count === 0) return { count, oldestAt: null };
  const { Messages = [] } = await context.sqs.send(
    new ReceiveMessageCommand({
      QueueUrl,
      MaxNumberOfMessages: 10,
      VisibilityTimeout: 0,
      MessageSystemAttributeNames: ["SentTimestamp"],
    }),
  );
  const sent = Messages.map(({ Attributes }) => Number(Attributes?.SentTimestamp)).filter((time) => time > 0);
  return { count, oldestAt: sent.length > 0 ? new Date(Math.min(...sent)).toISOString() : null };
}

/** How old the last digest is (of the end of its hour, which is what is sealed), or why it is none. */
async function chainState(
  { s3, config }: ApiContext,
  now: number,
): Promise<{ last: Overview["chain"]; fault: string | null }> {
  try {
    const last = await latest(trailStore(s3, config.AUDIT_BUCKET), now);
    if (last === null) return { last, fault: null };
    const { madeAt, period } = last.digest;
    return { last: { lastDigestAt: madeAt, ageMs: Math.max(now - Date.parse(period.to), 0) }, fault: null };
  } catch (error) {
    // S3's own faults are the call's; this one names a digest that is not what it should be.
    if (!(error instanceof Error) || error.name !== "Error") throw error;
    return { last: null, fault: error.message };
  }
}

async function trailState({ s3, config }: ApiContext, now: number): Promise<Overview["trail"]> {
  const to = Math.floor(now / HOUR_MS) * HOUR_MS;
  const entries = await hours(s3, config.AUDIT_BUCKET, to - LOOK_BACK_HOURS * HOUR_MS, to);
  const reports = [...entries].flatMap(([hour, entry]) =>
    entry.kind === "report" ? [{ hour, ...entry.report }] : [],
  );
  const last = Math.max(...reports.map(({ hour }) => hour));
  return {
    reconciledUntil: reports.length > 0 ? new Date(last + HOUR_MS).toISOString() : null,
    missing: reports.reduce((sum, { missing }) => sum + missing, 0),
    silentWriters: new Set(reports.flatMap(({ silent }) => silent.map(({ writer }) => writer))).size,
    incompleteHours: reports.filter(({ complete }) => !complete).length,
  };
}
