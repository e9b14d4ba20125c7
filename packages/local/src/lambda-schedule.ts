/**
 * EventBridge Scheduler's `rate(…)`: calls a function again and again. While a call is still at work the next one is left out, as
 * reserved concurrency does on AWS: on a busy machine they would pile up.
 */
import { randomUUID } from "node:crypto";
import type { LambdaFunction } from "./lambda-function.ts";

/** @param firstMs until the first call; omitted: one interval @returns how to stop it; a call in hand goes on */
export function startSchedule(
  fn: LambdaFunction,
  name: string,
  rateMs: number,
  firstMs = rateMs,
): () => void {
  const { region } = fn.settings;
  let busy = false;
  const call = async () => {
    if (busy) return;
    busy = true;
    await fn.invoke({
      version: "0",
      id: randomUUID(),
      "detail-type": "Scheduled Event",
      source: "aws.scheduler",
      account: "000000000000",
      time: `${new Date().toISOString().slice(0, 19)}Z`,
      region,
      resources: [`arn:aws:scheduler:${region}:000000000000:schedule/default/${name}`],
      detail: "{}",
    });
    busy = false;
  };
  let timer: NodeJS.Timeout = setTimeout(() => {
    void call();
    timer = setInterval(() => void call(), rateMs);
  }, firstMs);
  return () => clearTimeout(timer);
}
