/**
 * Calls a model, again after a failure that may pass, and then its fallbacks in order. Only until an answer has begun:
 * a stream that breaks later is the caller's to see.
 */
import type { Model } from "@central-llm/core/model";
import { Refusal } from "./refusal.ts";
import { within } from "./time-limit.ts";
import { tooSlow, type UpstreamError, upstreamError } from "./upstream-error.ts";

export interface CallPolicy {
  /** Attempts at each model. */
  attempts: number;
  /** The first pause is a random part of this, each further one of twice as much. */
  baseDelayMs: number;
  maxDelayMs: number;
  /** On performance.now()'s clock: no attempt begins after it, none runs beyond it. */
  deadline: number;
}

export interface FailedAttempt {
  model: string;
  kind: string;
}

export interface Called<T> {
  value: T;
  /** The model that answered. */
  model: Model;
  failed: FailedAttempt[];
}

/**
 * @param chain the model and its fallbacks: ModelList.chain
 * @param call one attempt; its signal fires at the deadline or when the caller leaves
 * @throws UpstreamError of the last attempt; Refusal when the first model cannot take the request
 */
export async function callModel<T>(
  chain: Model[],
  policy: CallPolicy,
  signal: AbortSignal,
  call: (model: Model, signal: AbortSignal) => Promise<T>,
): Promise<Called<T>> {
  const failed: FailedAttempt[] = [];
  let last: UpstreamError | null = null;
  for (const model of chain) {
    for (let attempt = 0; attempt < policy.attempts; attempt++) {
      if (attempt > 0 && !(await pause(policy, attempt, signal))) break;
      try {
        return { value: await withinDeadline(model, policy, signal, call), model, failed };
      } catch (error) {
        // A fallback that cannot take the request is no fallback for it.
        if (error instanceof Refusal && last !== null) break;
        if (error instanceof Refusal || signal.aborted) throw error;
        last = upstreamError(error);
        failed.push({ model: model.name, kind: last.kind });
        if (last.remedy === "none") throw last;
        if (last.remedy === "elsewhere") break;
      }
    }
    if (performance.now() >= policy.deadline) break;
  }
  throw last ?? tooSlow("deadline");
}

async function withinDeadline<T>(
  model: Model,
  { deadline }: CallPolicy,
  signal: AbortSignal,
  call: (model: Model, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const left = deadline - performance.now();
  if (left <= 0) throw tooSlow("deadline");
  return within(left, "deadline", signal, (attempt) => call(model, attempt));
}

/** Full jitter. @returns false when the pause would outlast the deadline, or the caller has left */
async function pause(policy: CallPolicy, attempt: number, signal: AbortSignal): Promise<boolean> {
  const delay = Math.random() * Math.min(policy.maxDelayMs, policy.baseDelayMs * 2 ** (attempt - 1));
  if (performance.now() + delay >= policy.deadline) return false;
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, delay);
    signal.addEventListener("abort", done, { once: true });
  });
  return !signal.aborted;
}
