/** The steps of one call of a model, in their order. Whatever stops one is thrown, and ends as an answer of ours (model-exchange.ts). */
import { auditUnavailable } from "../upstream-failure.ts";
import type { CallState } from "./call-state.ts";
import { understand } from "./model-admission.ts";
import { answerStream, answerWhole, call, type Ended } from "./model-answer.ts";
import { admit, begin, filter, keyIn, orStranger, read, refuseAtTheDoor } from "./model-request.ts";
import { RefusedRequest } from "./refused-request.ts";

export async function serve(state: CallState, continues: boolean): Promise<Ended> {
  refuseAtTheDoor(state);
  const key = keyIn(state);
  const { json, asked } = await orStranger(state, key, () => read(state, continues));
  const understood = await admit(state, key, json, asked);
  const body = await filter(state, json);
  const ready =
    body === json ? understood : understand(state.gateway, state.route, body, understood.model, asked);
  if (!(await begin(state)))
    throw new RefusedRequest(auditUnavailable(), "blocked", "audit_unavailable", { "retry-after": "1" });
  const called = await call(state, ready, body, asked);
  return "events" in called.value ? answerStream(state, called) : answerWhole(state, called, called.value);
}
