/** Faults asked for from outside the endpoint's process, as plain JSON over its IPC channel. */
import { z } from "zod";
import type { Fault, FaultRequest, FaultRule } from "./aws-fault.ts";

const Plan = z.object({
  /** Beginnings of `service.Operation`, e.g. `s3.` or `dynamodb.BatchWriteItem`. */
  operations: z.array(z.string()),
  /** Of those requests, the share that fails. */
  share: z.number().min(0).max(1).default(1),
  fault: z.union([
    z.object({ status: z.int(), code: z.string().optional() }),
    z.object({ delayMs: z.number() }),
    z.enum(["hang", "reset", "lose-answer"]),
  ]),
});
export type FaultPlan = z.input<typeof Plan>;

export const FaultOrder = z.object({
  /** Comes back as `{ done: number }` once the order is in force. */
  number: z.int(),
  plans: z.array(Plan),
  /** The endpoint's clock against this machine's. S3 refuses who signs with a time more than 15 minutes from its own. */
  clockMs: z.number().default(0),
});

/** Amazon S3's own limit (its error `RequestTimeTooSkewed`). */
const MAX_SKEW_MS = 15 * 60_000;

export function faultRule(order: Omit<z.infer<typeof FaultOrder>, "number">): FaultRule {
  return (request) => skewed(request, order.clockMs) ?? planned(request, order.plans);
}

function planned({ operation }: FaultRequest, plans: z.infer<typeof Plan>[]): Fault | undefined {
  return plans.find(
    ({ operations, share }) => operations.some((name) => operation.startsWith(name)) && Math.random() < share,
  )?.fault as Fault | undefined;
}

/** `20261121T101500Z`, as Signature Version 4 writes a time. */
const AMZ_DATE = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;

function skewed({ service, headers }: FaultRequest, clockMs: number): Fault | undefined {
  const said = AMZ_DATE.exec(String(headers["x-amz-date"] ?? ""));
  if (service !== "s3" || !said) return undefined;
  const [year = 0, month = 1, day, hour, minute, second] = said.slice(1).map(Number);
  const now = Date.now() + clockMs;
  if (Math.abs(Date.UTC(year, month - 1, day, hour, minute, second) - now) <= MAX_SKEW_MS) return undefined;
  return { status: 403, code: "RequestTimeTooSkewed", date: new Date(now) };
}
