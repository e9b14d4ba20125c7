/** Chunks of a stream without the usage that we asked for and the client did not. */
import { isObject } from "./stream-assembly.ts";

type Json = Record<string, unknown>;

/**
 * LiteLLM's last chunk has a choice without anything in it beside the usage; OpenAI's has no choice at all.
 * @returns null when nothing is left of it
 */
export function withoutUsage({ usage: _hidden, ...event }: Json): Json | null {
  const choices = Array.isArray(event.choices) ? event.choices : [];
  return choices.every(isEmpty) ? null : event;
}

function isEmpty(choice: unknown): boolean {
  if (!isObject(choice) || typeof choice.text === "string" || (choice.finish_reason ?? null) !== null)
    return false;
  return (
    !isObject(choice.delta) || Object.values(choice.delta).every((member) => member === null || member === "")
  );
}
