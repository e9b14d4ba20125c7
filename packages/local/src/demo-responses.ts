/** The demo model's `/v1/responses` and `/v1/embeddings`. */
import { CREATED, contentText, type Json } from "./demo-chat.ts";
import { answerTo, countTokens, digest, tokens } from "./demo-text.ts";

/** The text of a Responses API `input`: a string, or items with content parts. */
function inputText(input: unknown): string {
  if (typeof input === "string") return input;
  return Array.isArray(input) ? contentText(input.at(-1)?.content) : "";
}

export function responseObject(body: Json, words?: number): Json {
  const prompt = inputText(body.input);
  const text = answerTo(prompt, words);
  const id = digest(body).toString("hex").slice(0, 32);
  const [before, after] = [countTokens(`${body.instructions ?? ""} ${prompt}`), countTokens(text)];
  return {
    id: `resp_${id}`,
    object: "response",
    created_at: CREATED,
    status: "completed",
    background: false,
    error: null,
    incomplete_details: null,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    metadata: body.metadata ?? {},
    model: body.model,
    output: [
      {
        id: `msg_${id}`,
        type: "message",
        status: "completed",
        role: "assistant",
        content: [{ type: "output_text", text, annotations: [] }],
      },
    ],
    parallel_tool_calls: true,
    previous_response_id: null,
    temperature: body.temperature ?? 1,
    tool_choice: "auto",
    tools: [],
    top_p: 1,
    usage: {
      input_tokens: before,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: after,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: before + after,
    },
  };
}

/** The stream's events in order; each is sent with its `type` as the SSE event's name. */
export function responseEvents(response: Json): Json[] {
  const [message] = response.output as Json[];
  const [part] = (message?.content ?? []) as Json[];
  const at = { item_id: message?.id, output_index: 0, content_index: 0 };
  const begun = { ...response, status: "in_progress", output: [], usage: null };
  const events: Json[] = [
    { type: "response.created", response: begun },
    { type: "response.in_progress", response: begun },
    {
      type: "response.output_item.added",
      output_index: 0,
      item: { ...message, status: "in_progress", content: [] },
    },
    { type: "response.content_part.added", ...at, part: { ...part, text: "" } },
    ...tokens(part?.text).map((delta) => ({
      type: "response.output_text.delta",
      ...at,
      delta,
      logprobs: [],
    })),
    { type: "response.output_text.done", ...at, text: part?.text, logprobs: [] },
    { type: "response.content_part.done", ...at, part },
    { type: "response.output_item.done", output_index: 0, item: message },
    { type: "response.completed", response },
  ];
  return events.map((event, sequence_number) => ({ ...event, sequence_number }));
}

const DIMENSIONS = 384;

/** A unit vector that depends on the text alone. */
function vector(text: string, dimensions: number): Float32Array {
  const values = new Float32Array(dimensions);
  let hash = digest(text);
  for (let i = 0; i < dimensions; i++) {
    if (i % 16 === 0 && i > 0) hash = digest(text, i);
    values[i] = hash.readInt16LE((i % 16) * 2) / 32_768;
  }
  const length = Math.hypot(...values);
  return values.map((value) => value / length);
}

export function embeddings(body: Json): Json {
  // A single input, texts, one list of token ids, or several.
  const list = Array.isArray(body.input) && typeof body.input[0] !== "number" ? body.input : [body.input];
  const texts: string[] = list.map((one: unknown) => (typeof one === "string" ? one : JSON.stringify(one)));
  const prompt = texts.reduce((sum, text) => sum + countTokens(text), 0);
  return {
    object: "list",
    data: texts.map((text, index) => {
      const values = vector(text, body.dimensions ?? DIMENSIONS);
      const embedding =
        body.encoding_format === "base64" ? Buffer.from(values.buffer).toString("base64") : [...values];
      return { object: "embedding", index, embedding };
    }),
    model: body.model,
    usage: { prompt_tokens: prompt, total_tokens: prompt },
  };
}
