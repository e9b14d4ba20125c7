/** Whether a model is of the kind that a door needs. */
import type { ChatAbility, Model } from "@central-llm/core/model";
import { Refusal } from "./refusal.ts";

export const wrongKind = (model: Model, need: string) =>
  new Refusal({
    status: 400,
    type: "invalid_request_error",
    code: "model_not_supported",
    param: "model",
    message: `The model ${model.name} cannot be used here: it is no ${need} model.`,
  });

/** @throws Refusal */
export function chatAbility(model: Model): ChatAbility {
  if (model.ability.kind !== "chat") throw wrongKind(model, "chat");
  return model.ability;
}
