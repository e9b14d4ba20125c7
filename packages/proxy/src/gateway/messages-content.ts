/** Anthropic's content blocks as Converse's, block for block, with a cache point after each that is marked. */
import type {
  CitationsConfig,
  ContentBlock,
  DocumentBlock,
  ImageBlock,
  SearchResultBlock,
  ToolResultContentBlock,
} from "@aws-sdk/client-bedrock-runtime";
import { bytes, document, documentName, image } from "./media.ts";
import type { Block, DocumentPart, ImagePart, Prompt, SearchResultPart } from "./messages-request.ts";
import { invalid, unsupported } from "./refusal.ts";
import { toolUseId } from "./tool-call-id.ts";
import { addContent, cachePoint, type Draft } from "./translation.ts";

export function addPrompt(draft: Draft, prompt: Prompt): void {
  for (const part of typeof prompt.system === "string" ? [{ text: prompt.system }] : (prompt.system ?? [])) {
    if (part.text.trim() === "") continue;
    draft.system.push({ text: part.text });
    draft.system.push(...cachePoint(draft, "cache_control" in part ? part.cache_control : null));
  }
  for (const [index, message] of prompt.messages.entries()) {
    const at = `messages[${index}].content`;
    const blocks: Block[] =
      typeof message.content === "string" ? [{ type: "text", text: message.content }] : message.content;
    const content = blocks.flatMap((block, place) => contentBlock(draft, block, `${at}[${place}]`));
    if (content.length === 0 && message.role === "user")
      throw invalid(at, "A message of the user's must not be empty.");
    addContent(draft, message.role, content);
  }
}

function contentBlock(draft: Draft, block: Block, at: string): ContentBlock[] {
  const { ability } = draft.settings;
  const mark = "cache_control" in block ? (block.cache_control as { type: string } | null | undefined) : null;
  switch (block.type) {
    case "text":
      return block.text.trim() === "" ? [] : [{ text: block.text }, ...cachePoint(draft, mark)];
    case "image":
      if (!ability.images) throw unsupported(at, "This model takes no images.");
      return [{ image: imageBlock(block, at) }, ...cachePoint(draft, mark)];
    case "document":
      if (!ability.documents) throw unsupported(at, "This model takes no documents.");
      return [{ document: documentBlock(block, at) }, ...cachePoint(draft, mark)];
    case "search_result":
      return [{ searchResult: searchResult(block) }, ...cachePoint(draft, mark)];
    case "tool_use": {
      const { id, name, input } = block;
      return [
        { toolUse: { toolUseId: toolUseId(id), name, input: input as never } },
        ...cachePoint(draft, mark),
      ];
    }
    case "tool_result": {
      const parts =
        typeof block.content === "string"
          ? [{ type: "text" as const, text: block.content }]
          : (block.content ?? []);
      const content = parts.map((part, place) => resultPart(part, `${at}.content[${place}]`));
      const status = block.is_error ? { status: "error" as const } : {};
      const toolResult = { toolUseId: toolUseId(block.tool_use_id), content, ...status };
      return [{ toolResult }, ...cachePoint(draft, mark)];
    }
    case "thinking":
      return [
        {
          reasoningContent: {
            reasoningText: {
              text: block.thinking,
              ...(block.signature ? { signature: block.signature } : {}),
            },
          },
        },
      ];
    case "redacted_thinking":
      return [{ reasoningContent: { redactedContent: bytes(block.data, `${at}.data`) } }];
  }
}

type ResultPart = Extract<Block, { type: "text" | "image" | "document" | "search_result" }>;

function resultPart(part: ResultPart, at: string): ToolResultContentBlock {
  switch (part.type) {
    case "text":
      return { text: part.text };
    case "image":
      return { image: imageBlock(part, at) };
    case "document":
      return { document: documentBlock(part, at) };
    case "search_result":
      return { searchResult: searchResult(part) };
  }
}

const NOT_FETCHED = "The gateway fetches nothing: send the content itself, as base64.";

function imageBlock({ source }: ImagePart, at: string): ImageBlock {
  if (source.type !== "base64" || !source.media_type || source.data === undefined)
    throw invalid(`${at}.source`, NOT_FETCHED, "url_not_fetched");
  return image(source.media_type, source.data, `${at}.source.data`);
}

function documentBlock(part: DocumentPart, at: string): DocumentBlock {
  const { source } = part;
  const more = {
    ...(part.context ? { context: part.context } : {}),
    ...citing(part.citations),
  };
  const name = documentName(part.title ?? undefined);
  if (source.type === "base64" && source.media_type && source.data !== undefined)
    return {
      ...document(source.media_type, source.data, part.title ?? undefined, `${at}.source.data`),
      ...more,
    };
  if (source.type === "text" && source.data !== undefined)
    return { format: "txt", name, source: { text: source.data }, ...more };
  if (source.type === "content")
    return { format: "txt", name, source: { content: pieces(source.content, at) }, ...more };
  throw invalid(`${at}.source`, NOT_FETCHED, "url_not_fetched");
}

function pieces(content: unknown, at: string): { text: string }[] {
  const parts = typeof content === "string" ? [{ text: content }] : content;
  if (Array.isArray(parts) && parts.every((part) => typeof part?.text === "string"))
    return parts.map(({ text }: { text: string }) => ({ text }));
  throw invalid(`${at}.source.content`, "A document's content is text.");
}

const searchResult = (part: SearchResultPart): SearchResultBlock => ({
  source: part.source,
  title: part.title,
  content: part.content.map(({ text }) => ({ text })),
  ...citing(part.citations),
});

const citing = (
  wish: { enabled?: boolean | undefined } | null | undefined,
): { citations?: CitationsConfig } => (wish?.enabled ? { citations: { enabled: true } } : {});
