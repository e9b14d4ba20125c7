/** The doors to models on OpenAI-compatible servers: OpenAI's wire as it comes, Anthropic's by way of Converse. */
import type { CompatibleTarget, Model } from "@central-llm/core/model";
import { isObject } from "../stream-assembly.ts";
import {
  type CompatibleRequest,
  chatRequest,
  completionRequest,
  embeddingRequest,
} from "./compatible-request.ts";
import {
  CompatibleAssembly,
  CompatibleEncoder,
  charactersOf,
  compatibleUsage,
  renamed,
} from "./compatible-stream.ts";
import { chatAbility, wrongKind } from "./model-kind.ts";
import type { Asked, Calling, Json, ModelAnswer, ModelRoute, WholeAnswer } from "./model-route.ts";

const target = (model: Model) => model.target as CompatibleTarget;

type Read = (body: Json, model: Model, asked: Asked) => CompatibleRequest;

/** @param path below the server's root */
function generate(path: string, read: Read): ModelRoute["prepare"] {
  return (body, model, asked) => {
    const request = read(body, model, asked);
    const { estimate, promptTokens, dropped } = request;
    return {
      estimate,
      promptTokens,
      dropped,
      run: (calling) => (request.stream ? streamed : whole)(path, request, model, asked, calling),
    };
  };
}

async function streamed(
  path: string,
  { body, hidesUsage }: CompatibleRequest,
  model: Model,
  asked: Asked,
  { compatible, told, signal }: Calling,
): Promise<ModelAnswer> {
  return {
    events: await compatible.stream(target(model), path, body, told(), signal),
    encoder: new CompatibleEncoder(asked.model, hidesUsage),
    assembly: new CompatibleAssembly(asked.model, asked.keptBytes),
  };
}

async function whole(
  path: string,
  { body }: CompatibleRequest,
  model: Model,
  asked: Asked,
  { compatible, told, signal }: Calling,
): Promise<WholeAnswer> {
  const answer = await compatible.post(target(model), path, body, told(), signal);
  return {
    body: renamed(answer, asked.model),
    usage: compatibleUsage(answer.usage),
    characters: charactersIn(answer),
  };
}

function charactersIn({ choices }: Json): number {
  return (Array.isArray(choices) ? choices : [])
    .filter(isObject)
    .reduce((sum, { message, text }) => sum + charactersOf(message ?? text), 0);
}

export const compatibleChat = generate("/chat/completions", (body, model, { dropParams }) =>
  chatRequest(body, model, chatAbility(model), dropParams),
);

export const compatibleCompletion = generate("/completions", (body, model, { dropParams }) =>
  completionRequest(body, model, chatAbility(model), dropParams),
);

const embed = generate("/embeddings", embeddingRequest);

export const compatibleEmbedding: ModelRoute["prepare"] = (body, model, asked) => {
  if (model.ability.kind !== "embedding") throw wrongKind(model, "embedding");
  const prepared = embed(body, model, asked);
  // Numbers alone: there is nothing that the filter could read.
  return {
    ...prepared,
    run: async (calling) => ({ ...((await prepared.run(calling)) as WholeAnswer), numbers: true }),
  };
};
