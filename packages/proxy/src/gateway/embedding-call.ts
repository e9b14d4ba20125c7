/** The calls of an embedding plan: a few at a time, since one request of a caller's may need 2,048 of them. */
import type { BedrockTarget } from "@central-llm/core/model";
import type { BedrockClient } from "./bedrock-client.ts";
import type { Invoked } from "./bedrock-transport.ts";
import type { EmbeddingCall } from "./embeddings.ts";

const AT_ONCE = 8;

/** @returns the answers in the calls' order @throws UpstreamError of the first call that fails; the others end then */
export async function invokeAll(
  client: BedrockClient,
  target: BedrockTarget,
  calls: EmbeddingCall[],
  signal: AbortSignal,
): Promise<Invoked[]> {
  const answers: Invoked[] = new Array(calls.length);
  const queue = calls.entries();
  const others = new AbortController();
  const either = AbortSignal.any([signal, others.signal]);
  const work = async () => {
    for (const [index, { body }] of queue) {
      either.throwIfAborted();
      answers[index] = await client.invoke(target, body, either);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, calls.length) }, work));
  } catch (error) {
    others.abort();
    throw error;
  }
  return answers;
}
