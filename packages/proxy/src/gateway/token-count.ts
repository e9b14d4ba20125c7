/** How many tokens a prompt has: as Bedrock counts, or else as good a guess as can be made without the model. */
import type { ContentBlock, ToolResultContentBlock } from "@aws-sdk/client-bedrock-runtime";
import type { BedrockTarget } from "@central-llm/core/model";
import type { BedrockClient } from "./bedrock-client.ts";
import type { ConverseInput } from "./translation.ts";
import { UpstreamError } from "./upstream-error.ts";

export interface TokenCount {
  tokens: number;
  source: "provider" | "estimated";
}

/** @throws UpstreamError only where the prompt itself is at fault */
export async function countTokens(
  client: BedrockClient,
  target: BedrockTarget,
  input: ConverseInput,
  signal?: AbortSignal,
): Promise<TokenCount> {
  try {
    return { tokens: await client.countTokens(target, input, signal), source: "provider" };
  } catch (error) {
    // Older models cannot be asked, and an account may lack the permission: an estimate still lets a client plan.
    const hopeless = error instanceof UpstreamError && error.error.status === 400 && !cannotCount(error);
    if (hopeless || signal?.aborted) throw error;
    return { tokens: estimateTokens(input), source: "estimated" };
  }
}

const cannotCount = ({ error }: UpstreamError) => /doesn.t support|not support/i.test(error.message);

/** Claude's tokens are 3.5 characters of English; a picture's are its area / 750, at most about 1,600. */
export const CHARACTERS_A_TOKEN = 3.5;
const IMAGE_TOKENS = 1_600;
const BYTES_A_PAGE_TOKEN = 40;

export function estimateTokens(input: ConverseInput): number {
  let tokens = 4 * (input.messages?.length ?? 0);
  for (const block of input.system ?? []) tokens += ofText(block.text?.length ?? 0);
  for (const { toolSpec } of input.toolConfig?.tools ?? [])
    if (toolSpec) tokens += ofText(JSON.stringify(toolSpec).length);
  for (const { content } of input.messages ?? []) for (const block of content ?? []) tokens += ofBlock(block);
  return tokens;
}

function ofBlock(block: ContentBlock | ToolResultContentBlock): number {
  if (block.text !== undefined) return ofText(block.text.length);
  if (block.image) return IMAGE_TOKENS;
  if (block.document?.source?.bytes)
    return Math.ceil(block.document.source.bytes.length / BYTES_A_PAGE_TOKEN);
  if ("toolResult" in block && block.toolResult)
    return (block.toolResult.content ?? []).reduce((sum, part) => sum + ofBlock(part), 0);
  if ("reasoningContent" in block && block.reasoningContent)
    return ofText(block.reasoningContent.reasoningText?.text?.length ?? 0);
  return "cachePoint" in block && block.cachePoint ? 0 : ofText(JSON.stringify(block).length);
}

const ofText = (characters: number) => Math.ceil(characters / CHARACTERS_A_TOKEN);
