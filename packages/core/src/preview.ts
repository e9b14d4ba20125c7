/**
 * What was said, as text: the beginning that a list or a row shows, without JSON around it. For OpenAI's chat, completion,
 * embedding and response bodies; anything else is shown as it is.
 */

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const text = (value: unknown): string => (typeof value === "string" ? value : "");
const json = (value: unknown): string => (value == null ? "" : (JSON.stringify(value) ?? ""));

/** The first `max` characters (code points: a pair of surrogates is never split), with `…` for what is cut. */
export function cut(value: string, max: number): string {
  if (value.length <= max) return value;
  const points = [...value];
  if (points.length <= max) return value;
  return max < 1 ? "" : `${points.slice(0, max - 1).join("")}…`;
}

/** The longest beginning of at most `maxBytes` of UTF-8, with `…` for what is cut. */
export function cutBytes(value: string, maxBytes: number): string {
  if (Buffer.byteLength(value) <= maxBytes) return value;
  let end = maxBytes - 3;
  if (end <= 0) return "";
  const bytes = Buffer.from(value);
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return `${bytes.toString("utf8", 0, end)}…`;
}

/** @param body the request's body as in the audit record @param max code points */
export function promptPreview(body: unknown, max: number): string {
  const value = parsed(body);
  if (!isObject(value)) return cut(typeof value === "string" ? value : json(value), max);
  const messages = list(value.messages ?? (typeof value.input === "string" ? undefined : value.input)).filter(
    isObject,
  );
  if (messages.some((message) => "role" in message || "type" in message)) {
    const system = text(value.system) || text(value.instructions);
    return conversation(system ? [{ role: "system", content: system }, ...messages] : messages, max);
  }
  const instructions = value.instructions ? `system: ${text(value.instructions)}\n` : "";
  const input = value.prompt ?? value.input;
  return cut(input === undefined ? json(value) : instructions + inputText(input), max);
}

/** @param body the response's body, for a stream the assembled one @param max code points */
export function responsePreview(body: unknown, max: number): string {
  const value = parsed(body);
  if (!isObject(value)) return cut(typeof value === "string" ? value : json(value), max);
  return cut(responseText(value), max);
}

/** Old writers stored JSON bodies as text. */
function parsed(body: unknown): unknown {
  if (typeof body !== "string" || !/^\s*[{[]/.test(body)) return body;
  try {
    return JSON.parse(body);
  } catch {
    return body; // Not JSON, or JSON that was cut: shown as the text that it is.
  }
}

function inputText(input: unknown): string {
  if (typeof input === "string") return input;
  const items = list(input);
  if (items.length > 0 && items.every((item) => typeof item === "number")) return `[${items.length} tokens]`;
  return items.map(inputText).join("\n");
}

/** The last user message is what was asked, so it is the last to be cut; then what follows it, then what came before. */
function conversation(messages: Json[], max: number): string {
  const lines = messages.map(messageText);
  const whole = lines.join("\n");
  if (whole.length <= max) return whole;
  const asked = messages.findLastIndex((message) => message.role === "user");
  if (asked < 0) return cut(whole, max);
  const question = cut(lines[asked] ?? "", max);
  const parts = [question];
  let room = max - [...question].length;
  const take = (lines: string[], place: "push" | "unshift") => {
    const part = cut(lines.join("\n"), room - 1);
    if (part === "" || room < 2) return;
    parts[place](part);
    room -= [...part].length + 1;
  };
  take(lines.slice(asked + 1), "push");
  take(lines.slice(0, asked), "unshift");
  return parts.join("\n");
}

function messageText(message: Json): string {
  const role = text(message.role) || text(message.type) || "item";
  const content = [contentText(message.content), calls(message.tool_calls), item(message)].filter(Boolean);
  return `${role}: ${content.join(" ")}`;
}

/** An entry of the Responses API's `input` or `output` that is not a message. */
function item(message: Json): string {
  if (message.type === "function_call") return call(message);
  if (message.type === "function_call_output") return inputText(message.output) || json(message.output);
  return text(message.refusal);
}

function contentText(content: unknown): string {
  if (typeof content === "string") return content;
  return list(content)
    .map((part) => (isObject(part) ? partText(part) : text(part)))
    .filter(Boolean)
    .join(" ");
}

function partText(part: Json): string {
  if (typeof part.text === "string") return part.text;
  if (typeof part.refusal === "string") return part.refusal;
  if (part.type === "tool_use") return call(part);
  if (part.type === "tool_result") return contentText(part.content);
  const kind = /image|audio|file|video/.exec(text(part.type))?.[0];
  return kind ? `[${kind}]` : "";
}

function calls(toolCalls: unknown): string {
  return list(toolCalls)
    .filter(isObject)
    .map((entry) => call(isObject(entry.function) ? entry.function : entry))
    .join(" ");
}

function call(called: Json): string {
  const given = called.arguments ?? called.input;
  return `[calls ${text(called.name)}(${typeof given === "string" ? given : json(given)})]`;
}

function responseText(body: Json): string {
  if (isObject(body.error)) return `error: ${text(body.error.message) || json(body.error)}`;
  if (Array.isArray(body.choices))
    return body.choices.filter(isObject).map(choiceText).filter(Boolean).join("\n");
  if (Array.isArray(body.output)) {
    return body.output
      .filter(isObject)
      .map((entry) => contentText(entry.content) || item(entry))
      .filter(Boolean)
      .join("\n");
  }
  if (Array.isArray(body.content)) return contentText(body.content);
  if (Array.isArray(body.data)) return dataText(body.data.filter(isObject));
  return json(body);
}

function choiceText(choice: Json): string {
  const message = isObject(choice.message) ? choice.message : isObject(choice.delta) ? choice.delta : choice;
  return [contentText(message.content), text(message.text), text(message.refusal), calls(message.tool_calls)]
    .filter(Boolean)
    .join(" ");
}

function dataText(data: Json[]): string {
  const vector = data[0]?.embedding;
  if (vector !== undefined) {
    return `[${data.length} embeddings${Array.isArray(vector) ? ` of ${vector.length} numbers` : ""}]`;
  }
  return data.map((entry) => text(entry.id) || json(entry)).join(", ");
}
