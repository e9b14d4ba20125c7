/** What Bedrock's Converse refuses of a request, in its words where they are known. */
import type { ContentBlock, ConverseRequest, Message } from "@aws-sdk/client-bedrock-runtime";
import type { ChatAbility } from "@central-llm/core/model";
import { isSigned } from "./bedrock-answer.ts";
import { BedrockFault } from "./bedrock-fault.ts";

const refuse = (message: string) => new BedrockFault("ValidationException", message);

/** @throws BedrockFault as Bedrock would */
export function checkConverse(input: ConverseRequest, ability: ChatAbility): void {
  const messages = input.messages ?? [];
  checkRoles(messages);
  for (const [index, message] of messages.entries()) checkContent(message, index);
  checkTools(messages, input);
  checkInference(input, ability);
  checkThinking(input, ability);
  const marks = [
    ...(input.system ?? []),
    ...(input.toolConfig?.tools ?? []),
    ...messages.flatMap(({ content }) => content ?? []),
  ].filter((block) => "cachePoint" in block);
  if (marks.length > 4) throw refuse("You can specify up to 4 cachePoint blocks in a request.");
  if (marks.length > 0 && !ability.promptCache) throw refuse("This model doesn't support prompt caching.");
}

function checkRoles(messages: Message[]): void {
  if (messages[0]?.role !== "user")
    throw refuse(
      "A conversation must start with a user message. Try again with a conversation that starts with a user message.",
    );
  if (messages.some(({ role }, index) => index > 0 && role === messages[index - 1]?.role))
    throw refuse(
      "A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again.",
    );
}

function checkContent({ content }: Message, index: number): void {
  if (!content?.length)
    throw refuse(`The content field in the Message object at messages.${index} is empty.`);
  for (const [place, block] of content.entries()) {
    const at = `messages.${index}.content.${place}`;
    if (block.text !== undefined && block.text.trim() === "")
      throw refuse(
        `The text field in the ContentBlock object at ${at} is blank. Add text to the text field, and try again.`,
      );
    const id = block.toolUse?.toolUseId ?? block.toolResult?.toolUseId;
    if (id !== undefined && !/^[a-zA-Z0-9_-]{1,64}$/.test(id))
      throw refuse(`Value '${id}' at '${at}.toolUseId' failed to satisfy constraint: [a-zA-Z0-9_-]+`);
    const signed = block.reasoningContent?.reasoningText;
    if (signed && !isSigned(signed.text ?? "", signed.signature))
      throw refuse(`${at}: Invalid \`signature\` in \`thinking\` block`);
  }
}

const ids = (content: ContentBlock[] | undefined, of: "toolUse" | "toolResult") =>
  (content ?? []).flatMap((block) => block[of]?.toolUseId ?? []);

function checkTools(messages: Message[], input: ConverseRequest): void {
  const declared = new Set(input.toolConfig?.tools?.flatMap(({ toolSpec }) => toolSpec?.name ?? []));
  for (const [index, { role, content }] of messages.entries()) {
    const calls = role === "user" ? ids(messages[index - 1]?.content, "toolUse") : [];
    const results = ids(content, "toolResult");
    if (results.length > calls.length)
      throw refuse(
        `The number of toolResult blocks at messages.${index}.content exceeds the number of toolUse blocks of previous turn.`,
      );
    const missing = calls.filter((id) => !results.includes(id));
    if (missing.length > 0)
      throw refuse(
        `Expected toolResult blocks at messages.${index}.content for the following Ids: ${missing.join(", ")}`,
      );
    const uses = ids(content, "toolUse").length + results.length;
    if (uses > 0 && declared.size === 0)
      throw refuse("The toolConfig field must be defined when using toolUse and toolResult content blocks.");
  }
  const wanted = input.toolConfig?.toolChoice?.tool?.name;
  if (wanted !== undefined && !declared.has(wanted))
    throw refuse(`The tool ${wanted} of toolChoice is not in toolConfig.tools.`);
}

function checkInference(
  { inferenceConfig, additionalModelRequestFields }: ConverseRequest,
  ability: ChatAbility,
) {
  const { maxTokens, temperature, topP, stopSequences } = inferenceConfig ?? {};
  if ((maxTokens ?? 0) > ability.maxOutputTokens)
    throw refuse(
      `The maximum tokens you requested exceeds the model limit of ${ability.maxOutputTokens}. Try again with a maximum tokens value that is lower than ${ability.maxOutputTokens}.`,
    );
  if (temperature !== undefined && (temperature < 0 || temperature > 1))
    throw refuse(`Value '${temperature}' at 'inferenceConfig.temperature' must be between 0 and 1.`);
  const topK = (additionalModelRequestFields as { top_k?: unknown } | undefined)?.top_k;
  if (ability.sampling === "none" && [temperature, topP, topK].some((value) => value !== undefined))
    throw refuse("`temperature`, `top_p` and `top_k` are deprecated for this model.");
  if (ability.sampling === "one" && temperature !== undefined && topP !== undefined)
    throw refuse("`temperature` and `top_p` cannot both be specified for this model. Please use only one.");
  if (stopSequences?.some((sequence) => sequence.trim() === ""))
    throw refuse("stop_sequences: each stop sequence must contain non-whitespace");
}

interface Fields {
  thinking?: { type?: string; budget_tokens?: number };
  tool_choice?: { type?: string };
}

function checkThinking(input: ConverseRequest, ability: ChatAbility): void {
  const fields = (input.additionalModelRequestFields ?? {}) as Fields;
  const choice = input.toolConfig?.toolChoice;
  const forced = choice?.any || choice?.tool || ["any", "tool"].includes(fields.tool_choice?.type ?? "");
  if (forced && !ability.forcedTools)
    throw refuse("tool_choice: forced tool use is not supported for this model.");
  const { type, budget_tokens: budget = 0 } = fields.thinking ?? {};
  if (type === undefined || type === "disabled") {
    if (type && ability.thinking === "always")
      throw refuse('"thinking.type.disabled" is not supported for this model.');
    return;
  }
  if (ability.thinking === "none") throw refuse("thinking: Extra inputs are not permitted");
  if (type === "adaptive" && ability.thinking === "budget")
    throw refuse("thinking.type: Input tag 'adaptive' is not supported for this model");
  if (type === "enabled") {
    if (ability.thinking !== "budget" && ability.sampling === "none")
      throw refuse(
        '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.',
      );
    if (budget < 1_024)
      throw refuse("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024");
    if (budget >= (input.inferenceConfig?.maxTokens ?? ability.maxOutputTokens))
      throw refuse("`max_tokens` must be greater than `thinking.budget_tokens`.");
    const turn = input.messages?.findLast(({ role }) => role === "assistant")?.content ?? [];
    if (turn.some((block) => block.toolUse) && !turn[0]?.reasoningContent)
      throw refuse(
        "Expected `thinking` or `redacted_thinking`, but found `tool_use`. When `thinking` is enabled, a final `assistant` message must start with a thinking block.",
      );
  }
  if (forced) throw refuse("Thinking may not be enabled when tool_choice forces tool use.");
  if (input.inferenceConfig?.temperature !== undefined && input.inferenceConfig.temperature !== 1)
    throw refuse("`temperature` may only be set to 1 when thinking is enabled.");
}
