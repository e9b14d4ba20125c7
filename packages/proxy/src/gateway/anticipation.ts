/**
 * While the database decides about a request, its prompt is looked at, its intent written and the model's call made ready, by what the key's last
 * admission said of it: two waits become one. The decision has the last word. Where it says something else of the key, the prompt is looked at
 * again and the record restated; where it refuses, nothing of this is left but the intent of a request that did come.
 */
import type { CallContext } from "./call-context.ts";
import type { CallState } from "./call-state.ts";
import { type Looked, look } from "./filtered-prompt.ts";
import type { Json } from "./model-route.ts";

export interface Ahead {
  call: CallContext;
  looked: Looked;
  /** The intent's protection; null when none was written, since the filter blocks the request. */
  begun: Promise<boolean> | null;
}

const MOST = 10_000;

/** What the database said of the keys that it admitted last. It decides nothing. */
export class LatelyAdmitted {
  readonly #calls = new Map<string, CallContext>();

  recall(token: string): CallContext | null {
    return this.#calls.get(token) ?? null;
  }

  /** @param token of the key that came @param call null: it was refused, and floods of refused requests are not looked at ahead */
  note(token: string, call: CallContext | null): void {
    if (call === null) return void this.#calls.delete(token);
    if (this.#calls.size >= MOST && !this.#calls.has(token)) this.#calls.clear();
    this.#calls.set(token, call);
  }
}

/** To be called when the database is asked. */
export function anticipate(state: CallState, token: string, json: Json): void {
  const { guard, lately } = state.gateway;
  const call = lately.recall(token);
  // The guardrail is asked over the network, and costs: only about who is admitted.
  if (call !== null && guard.streams) setImmediate(lookAhead, state, call, json);
}

function lookAhead(state: CallState, call: CallContext, json: Json): void {
  // Decided already, or the client has left.
  if (state.account !== null || state.left.signal.aborted) return;
  const { gateway, audited, body } = state;
  try {
    const policy = gateway.guard.policyFor(call);
    const looked = look(gateway, body, json, policy);
    // With one engine that is local, it is no promise.
    if (looked instanceof Promise) return;
    const { checked } = looked;
    if (checked.outcome === "failed") return;
    const blocked = checked.outcome === "blocked";
    state.ahead = { call, looked, begun: blocked ? null : audited.beginAhead(state.factsAs(call, looked)) };
    if (!blocked && checked.body === json) state.prepared?.draft?.(gateway.bedrock);
  } catch (error) {
    // The pipeline comes to the same and answers for it.
    gateway.log.debug({ requestId: audited.name, err: error }, "A request could not be looked at ahead");
  }
}

/** Whether a record names the same key, user and team by both. */
export function namesSame(one: CallContext, other: CallContext | null): boolean {
  return (
    one.token === other?.token &&
    one.keyAlias === other.keyAlias &&
    one.userId === other.userId &&
    one.userEmail === other.userEmail &&
    one.teamId === other.teamId &&
    one.teamAlias === other.teamAlias
  );
}
