/** The pieces of a message: text, tool calls and their results, pictures and files by kind and size alone. */
export type Part =
  | { kind: "text"; text: string }
  | { kind: "refusal" | "thinking"; text: string }
  /** Never their content; `address` is what the client named in its place. */
  | { kind: "media"; what: string; mediaType: string | null; bytes: number | null; address: string | null }
  | { kind: "tool-call"; id: string | null; name: string; input: string }
  | { kind: "tool-result"; id: string | null; parts: Part[] }
  | { kind: "other"; json: string };

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const text = (value: unknown): string | null => (typeof value === "string" ? value : null);

export const pretty = (value: unknown): string => JSON.stringify(value, null, 2) ?? String(value);

/** Arguments are JSON in a string, often; a reader wants it laid out. */
function laidOut(value: unknown): string {
  if (typeof value !== "string") return pretty(value ?? {});
  try {
    return pretty(JSON.parse(value));
  } catch {
    // Broken off, or not JSON at all: as it is.
    return value;
  }
}

const base64Bytes = (data: string) => Math.floor((data.replace(/=+$/, "").length * 3) / 4);

function media(what: string, address: unknown): Part {
  const given = text(address);
  const data = given === null ? null : /^data:([^;,]*)[^,]*,(.*)$/s.exec(given);
  if (data) return embedded(what, data[2], data[1]);
  return { kind: "media", what, mediaType: null, bytes: null, address: given };
}

function embedded(what: string, data: unknown, mediaType: unknown): Part {
  const bytes = typeof data === "string" ? base64Bytes(data) : null;
  return { kind: "media", what, mediaType: text(mediaType), bytes, address: null };
}

/** Anthropic's `source`: an address, or the content itself. */
function sourced(what: string, source: unknown): Part {
  if (!isObject(source)) return media(what, null);
  return source.type === "url" ? media(what, source.url) : embedded(what, source.data, source.media_type);
}

function part(value: unknown): Part {
  if (typeof value === "string") return { kind: "text", text: value };
  if (!isObject(value)) return { kind: "other", json: pretty(value) };
  switch (value.type) {
    case "text":
    case "input_text":
    case "output_text":
      return { kind: "text", text: text(value.text) ?? "" };
    case "refusal":
      return { kind: "refusal", text: text(value.refusal) ?? "" };
    case "thinking":
      return { kind: "thinking", text: text(value.thinking) ?? "" };
    case "image_url":
      return media("Image", isObject(value.image_url) ? value.image_url.url : value.image_url);
    case "input_image":
      return media("Image", value.image_url ?? value.file_id);
    case "image":
      return sourced("Image", value.source);
    case "document":
      return sourced("File", value.source);
    case "input_audio": {
      const audio = isObject(value.input_audio) ? value.input_audio : {};
      return embedded("Sound", audio.data, audio.format);
    }
    case "file":
    case "input_file": {
      const file = isObject(value.file) ? value.file : value;
      return media("File", file.file_data ?? file.file_id ?? file.filename);
    }
    case "tool_use":
      return {
        kind: "tool-call",
        id: text(value.id),
        name: text(value.name) ?? "?",
        input: laidOut(value.input),
      };
    case "tool_result":
      return { kind: "tool-result", id: text(value.tool_use_id), parts: parts(value.content) };
    default:
      return { kind: "other", json: pretty(value) };
  }
}

/** Of a message's `content`: text, or a list of parts. */
export function parts(content: unknown): Part[] {
  if (content === null || content === undefined) return [];
  return Array.isArray(content) ? content.map(part) : [part(content)];
}

/** Of OpenAI's `tool_calls`, or its older `function_call`. */
export function toolCall(value: unknown): Part {
  const call = isObject(value) ? value : {};
  const called = isObject(call.function) ? call.function : call;
  return {
    kind: "tool-call",
    id: text(call.id),
    name: text(called.name) ?? "?",
    input: laidOut(called.arguments),
  };
}
