/** `POST /api/reconcile`: is an hour of the trail complete? What lacks a row is sent to ingest again. */
import * as ReconcileLedger from "@central-llm/core/reconcile-ledger";
import { verdict } from "@central-llm/core/reconcile-report";
import { awsSource } from "@central-llm/core/reconcile-source";
import type { CallOf } from "./call.ts";
import { Failure } from "./failure.ts";

/** Kept for saving how far it came, and for the answer. */
const RESERVE_MS = 8_000;

export async function reconcile(call: CallOf<"reconcile">) {
  const { context, receivedAt } = call;
  const { AUDIT_BUCKET, AUDIT_PREFIX, INGEST_QUEUE_URL } = context.config;
  const time = Date.parse(call.body.hour);
  const hour = new Date(time).toISOString();
  if (time >= ReconcileLedger.settledUntil(receivedAt)) {
    throw new Failure(
      "invalid_request",
      "Its records may still be on their way: choose an hour that is over.",
      [{ path: "body.hour", message: "must have ended 15 minutes ago" }],
    );
  }
  await call.audit({ action: "replay", target: `reconcile/${hour}`, details: { hour } });
  const source = awsSource({
    s3: context.s3,
    sqs: context.sqs,
    table: context.table,
    bucket: AUDIT_BUCKET,
    prefix: AUDIT_PREFIX,
    ingestQueueUrl: INGEST_QUEUE_URL,
  });
  const signal = AbortSignal.timeout(Math.max(call.remainingMs() - RESERVE_MS, 1_000));
  const book = ReconcileLedger.ledger(context.s3, AUDIT_BUCKET);
  const report = await ReconcileLedger.reconcileHour(source, book, time, receivedAt, signal);
  if (report === null) return { hour, state: "running" as const, missing: 0, requeued: 0, verdict: null };
  return {
    hour,
    state: report.complete ? ("complete" as const) : ("incomplete" as const),
    missing: report.missing,
    requeued: report.requeued,
    verdict: verdict(report),
  };
}
