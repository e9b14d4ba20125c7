/** `GET /api/completeness`: what reconcile found of the hours of a window. */
import { hours } from "@central-llm/core/reconcile-ledger";
import { verdict } from "@central-llm/core/reconcile-report";
import { type CallOf, spanOf } from "./call.ts";
import type { Completeness } from "./contract-overview.ts";

const HOUR_MS = 3_600_000;
const MAX_HOURS = 31 * 24;

type Hour = Completeness["hours"][number];

export async function completeness(call: CallOf<"completeness">): Promise<Completeness> {
  const { context } = call;
  const span = spanOf(call.query, call.receivedAt);
  const first = Math.floor(Date.parse(span.from) / HOUR_MS);
  const last = Math.ceil(Date.parse(span.to) / HOUR_MS);
  if (last - first > MAX_HOURS) {
    const explanation = "Only windows of at most 31 days are told: choose a shorter one.";
    return { ...span, state: "unknown", missing: 0, explanation, hours: [] };
  }
  const entries = await hours(context.s3, context.config.AUDIT_BUCKET, first * HOUR_MS, last * HOUR_MS);
  const all = Array.from({ length: last - first }, (_, at): Hour => {
    const time = (first + at) * HOUR_MS;
    const entry = entries.get(time);
    const hour = new Date(time).toISOString();
    if (entry === undefined) return { hour, state: "unchecked", missing: 0, verdict: null };
    if (entry.kind === "state") return { hour, state: "running", missing: 0, verdict: null };
    const { complete, missing } = entry.report;
    return { hour, state: complete ? "complete" : "incomplete", missing, verdict: verdict(entry.report) };
  });
  return { ...span, ...summary(all), hours: all };
}

function summary(all: Hour[]): Pick<Completeness, "state" | "missing" | "explanation"> {
  const missing = all.reduce((sum, hour) => sum + hour.missing, 0);
  const count = (state: Hour["state"]) => all.filter((hour) => hour.state === state).length;
  const incomplete = count("incomplete");
  const open = count("unchecked") + count("running");
  if (incomplete > 0) {
    const what = missing > 0 ? `${missing} missing` : "writers fell silent";
    return { state: "incomplete", missing, explanation: `${what} in ${incomplete} of ${all.length} hours.` };
  }
  if (open > 0) {
    return {
      state: "unknown",
      missing,
      explanation: `${open} of ${all.length} hours have not been checked yet.`,
    };
  }
  return {
    state: "complete",
    missing,
    explanation: "Every hour of this window was checked and is complete.",
  };
}
