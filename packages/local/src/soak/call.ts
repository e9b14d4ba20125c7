/** One request over a real connection, and what came of it. */
import type { Pool } from "undici";
import type { PlannedRequest } from "./request-kind.ts";

export interface Answer {
  /** Null when no head came. */
  status: number | null;
  /** `x-request-id` of the answer: the object's name, as far as it was known then. */
  name: string | null;
  bytes: number;
  /** All of it came. */
  whole: boolean;
  /** Why it did not, in the client's words. */
  error: string | null;
}

const TAIL = 32;

export async function call(pool: Pool, planned: PlannedRequest): Promise<Answer> {
  const answer: Answer = { status: null, name: null, bytes: 0, whole: false, error: null };
  const leaving = new AbortController();
  const { abort } = planned;
  const timer = typeof abort === "object" ? setTimeout(() => leaving.abort(), abort.afterMs) : undefined;
  try {
    const { statusCode, headers, body } = await pool.request({
      method: "POST",
      path: planned.path,
      headers: planned.headers,
      body: planned.body,
      signal: leaving.signal,
    });
    answer.status = statusCode;
    answer.name = String(headers["x-request-id"] ?? "");
    let tail = "";
    for await (const chunk of body as AsyncIterable<Buffer>) {
      answer.bytes += chunk.length;
      tail = (tail + chunk.toString("latin1")).slice(-TAIL);
      if (abort === "first-byte") leaving.abort();
    }
    answer.whole = !planned.stream || statusCode !== 200 || tail.endsWith("data: [DONE]\n\n");
    if (!answer.whole) answer.error = "the stream ended without [DONE]";
  } catch (error) {
    const { code, name, message } = error as NodeJS.ErrnoException;
    answer.error = `${code ?? name}: ${message}`;
  } finally {
    clearTimeout(timer);
  }
  return answer;
}
