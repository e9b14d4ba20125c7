/** What the LiteLLM stand-in answers on each wire: the demo model's answers, in the shapes that LiteLLM 1.100 gives them. */
import type { Json } from "@central-llm/local/demo-chat";
import * as Chat from "@central-llm/local/demo-chat";
import { embeddings, responseEvents, responseObject } from "@central-llm/local/demo-responses";

export type Answer = { json: Json } | { events: string[] };

const data = (event: Json) => `data: ${JSON.stringify(event)}\n\n`;
const named = (event: Json) => `event: ${event.type}\n${data(event)}`;

/** @param says in place of the demo model's text @param size characters of it in an event */
export function answerOf(path: string, body: Json, says: string | null, size: number): Answer | null {
  switch (path) {
    case "/v1/chat/completions": {
      const answer = Chat.chatAnswer(body);
      if (says !== null) answer.text = says;
      if (!body.stream) return { json: Chat.chatCompletion(body, answer) };
      const chunks =
        says === null ? Chat.chatChunks(body, answer) : inPieces(Chat.chatChunks(body, answer), says, size);
      return { events: [...chunks.map(likeLitellm).map(data), "data: [DONE]\n\n"] };
    }
    case "/v1/completions": {
      const answer = Chat.completionAnswer(body);
      if (says !== null) answer.text = says;
      if (!body.stream) return { json: Chat.completion(body, answer) };
      return { events: [...Chat.completionChunks(body, answer).map(data), "data: [DONE]\n\n"] };
    }
    case "/v1/embeddings":
      return { json: embeddings(body) };
    case "/v1/responses": {
      const response = responseObject(body);
      if (says !== null) response.output[0].content[0].text = says;
      return body.stream ? { events: responseEvents(response).map(named) } : { json: response };
    }
    case "/v1/messages": {
      const message = messageOf(body, says);
      return body.stream ? { events: messageEvents(message, size).map(named) } : { json: message };
    }
    case "/v1/messages/count_tokens":
      return { json: { input_tokens: 17 } };
    default:
      return null;
  }
}

/** Its chunk of the usage has a choice, without anything in it. */
const likeLitellm = (chunk: Json): Json =>
  chunk.choices.length === 0 ? { ...chunk, choices: [{ index: 0, delta: {} }] } : chunk;

/** The same chunks with other text, cut anywhere. */
function inPieces(chunks: Json[], text: string, size: number): Json[] {
  const [first, ...rest] = chunks as [Json, ...Json[]];
  const pieces = text.match(new RegExp(`[\\s\\S]{1,${size}}`, "g")) ?? [];
  const [choice] = first.choices;
  const made = pieces.map((content) => ({ ...first, choices: [{ ...choice, delta: { content } }] }));
  return [first, ...made, ...rest.filter(({ choices }) => !choices[0]?.delta.content)];
}

function messageOf(body: Json, says: string | null): Json {
  const tools = body.tools?.map((tool: Json) => ({ function: { ...tool, parameters: tool.input_schema } }));
  const answer = Chat.chatAnswer({ ...body, tools });
  const calls = answer.toolCalls.map(({ id, function: called }) => ({
    type: "tool_use",
    id,
    name: called.name,
    input: JSON.parse(called.arguments),
  }));
  return {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: body.model,
    content: calls.length > 0 ? calls : [{ type: "text", text: says ?? answer.text }],
    stop_reason: calls.length > 0 ? "tool_use" : "end_turn",
    stop_sequence: null,
    usage: { input_tokens: answer.usage.prompt_tokens, output_tokens: answer.usage.completion_tokens },
  };
}

function messageEvents(message: Json, size: number): Json[] {
  const { content, stop_reason, usage } = message;
  const start = { ...message, content: [], stop_reason: null, usage: { ...usage, output_tokens: 1 } };
  const blocks = content.flatMap((block: Json, index: number) => {
    const text: string = block.type === "text" ? block.text : JSON.stringify(block.input);
    const deltas = text.match(new RegExp(`[\\s\\S]{1,${size}}`, "g")) ?? [];
    const empty = block.type === "text" ? { ...block, text: "" } : { ...block, input: {} };
    return [
      { type: "content_block_start", index, content_block: empty },
      ...deltas.map((piece) => ({
        type: "content_block_delta",
        index,
        delta:
          block.type === "text"
            ? { type: "text_delta", text: piece }
            : { type: "input_json_delta", partial_json: piece },
      })),
      { type: "content_block_stop", index },
    ];
  });
  const end = { type: "message_delta", delta: { stop_reason, stop_sequence: null }, usage };
  return [{ type: "message_start", message: start }, ...blocks, end, { type: "message_stop" }];
}
