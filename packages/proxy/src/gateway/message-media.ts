/** Pictures, sounds and files in the messages of a chat completion request, and what its prompt may come to in tokens. */
import { isObject } from "../stream-assembly.ts";
import type { Json } from "./model-route.ts";
import { CHARACTERS_A_TOKEN } from "./token-count.ts";

const A_MEDIUM_TOKENS = 1_600;

/** @param text the whole request as it is sent @param body the same, parsed */
export function guessedTokens(text: string, body: Json): number {
  const media = mediaIn(body);
  if (media === 0) return Math.ceil(text.length / CHARACTERS_A_TOKEN);
  const messages = partsOf(body).map((parts) => parts.filter((part) => !isMedium(part)));
  const words = JSON.stringify({ ...body, messages });
  return Math.ceil(words.length / CHARACTERS_A_TOKEN) + media * A_MEDIUM_TOKENS;
}

/** How many parts of the messages are no text. */
export const mediaIn = (body: Json) => partsOf(body).flat().filter(isMedium).length;

function partsOf({ messages }: Json): unknown[][] {
  return (Array.isArray(messages) ? messages : []).map(({ content }) =>
    Array.isArray(content) ? content : [content],
  );
}

const TEXTS = new Set(["text", "refusal"]);

function isMedium(part: unknown): boolean {
  return isObject(part) && typeof part.type === "string" && !TEXTS.has(part.type);
}
