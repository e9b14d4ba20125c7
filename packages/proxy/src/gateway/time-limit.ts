/** A time limit and a caller's leaving as one signal. */
import { tooSlow } from "./upstream-error.ts";

/**
 * @param what the limit's name, for metrics
 * @param signal also ends what `run` has begun and given back, e.g. a stream; the limit does not
 * @throws UpstreamError (504) when the limit is reached; else what `run` throws
 */
export async function within<T>(
  ms: number,
  what: string,
  signal: AbortSignal | undefined,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const attempt = new AbortController();
  // With the caller's own reason: one made here would cost a stack trace for each call that ends.
  const abort = () => attempt.abort(signal?.aborted ? signal.reason : LATE);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    abort();
  }, ms);
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort, { once: true });
  try {
    return await run(attempt.signal);
  } catch (error) {
    signal?.removeEventListener("abort", abort);
    throw late ? tooSlow(what) : error;
  } finally {
    clearTimeout(timer);
  }
}

const LATE = new DOMException("The time is over", "TimeoutError");
