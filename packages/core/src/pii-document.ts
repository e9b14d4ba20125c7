/**
 * The texts within a JSON body: which strings of a request or an answer a person or a program wrote, and which only
 * steer the call. Works on the bodies of OpenAI's chat/completions/embeddings/responses and Anthropic's messages.
 */
type Json = Record<string, unknown>;

/**
 * Members whose value steers the call and is never shown to a model as text, at any depth. Everything else is checked:
 * an unknown member is checked, not trusted.
 */
const STEERING = new Set([
  "id",
  "type",
  "role",
  "model",
  "object",
  "status",
  "tool_call_id",
  "tool_use_id",
  "call_id",
  "item_id",
  "file_id",
  "response_id",
  "previous_response_id",
  "container",
  "signature",
  "encrypted_content",
  "finish_reason",
  "stop_reason",
  "media_type",
  "mime_type",
  "format",
  "detail",
  "effort",
  "encoding_format",
  "service_tier",
  "system_fingerprint",
  "created",
]);

/** Members whose content is the caller's own data, where the names above are names of data: tool arguments. */
const DATA = new Set(["input", "arguments", "partial_json", "output"]);

/** Members that hold bytes as base64, next to a member that says so. */
const BYTES = new Set(["data", "file_data"]);
const DATA_URL = /^data:[\w.+/-]{0,100}(?:;[\w.=+-]{1,100}){0,5};base64,/i;

/** @returns the new text, or the same string when nothing changes */
export type Rewrite = (text: string) => string;

/**
 * Walks a body and lets `rewrite` see each text.
 * @returns the same object when nothing changed, else a copy along the changed paths; never changes its input
 * @throws RangeError on a body nested deeper than 200 levels
 */
export function rewriteTexts(value: unknown, rewrite: Rewrite): unknown {
  return walk(value, rewrite, false, 0);
}

const DEEPEST = 200;

function walk(value: unknown, rewrite: Rewrite, isData: boolean, depth: number): unknown {
  if (typeof value === "string") return rewriteString(value, rewrite);
  // A card number is no less one without quotes. Only whole numbers that JSON keeps exact, and only if they are long.
  if (typeof value === "number") return rewriteNumber(value, rewrite, isData);
  if (typeof value !== "object" || value === null) return value;
  if (depth === DEEPEST) throw new RangeError("the body is nested too deeply to be checked");
  return Array.isArray(value)
    ? walkList(value, rewrite, isData, depth)
    : walkObject(value as Json, rewrite, isData, depth);
}

function walkList(list: unknown[], rewrite: Rewrite, isData: boolean, depth: number): unknown[] {
  // Embeddings take lists of token numbers: nothing to read.
  let copy: unknown[] | null = null;
  for (let at = 0; at < list.length; at++) {
    const changed = walk(list[at], rewrite, isData, depth + 1);
    if (changed !== list[at]) {
      copy ??= [...list];
      copy[at] = changed;
    }
  }
  return copy ?? list;
}

function walkObject(object: Json, rewrite: Rewrite, isData: boolean, depth: number): Json {
  let copy: Json | null = null;
  for (const name of Object.keys(object)) {
    const value = object[name];
    if (!isData && STEERING.has(name) && typeof value === "string") continue;
    if (typeof value === "string" && BYTES.has(name) && holdsBytes(object, value)) continue;
    const changed =
      name === "arguments" && typeof value === "string"
        ? rewriteArguments(value, rewrite, depth)
        : walk(value, rewrite, isData || isDataOf(object, name), depth + 1);
    if (changed !== value) {
      copy ??= { ...object };
      copy[name] = changed;
    }
  }
  return copy ?? object;
}

/** A tool call's arguments are JSON in a string, and stay JSON: a number that goes leaves a string behind. */
function rewriteArguments(text: string, rewrite: Rewrite, depth: number): string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return rewrite(text); // Cut off or free text: models write what they like here.
  }
  const changed = walk(parsed, rewrite, true, depth + 1);
  return changed === parsed ? rewrite(text) : JSON.stringify(changed);
}

/** `input` of a tool call is data; `input` of a Responses or embeddings request is the conversation itself. */
function isDataOf(object: Json, name: string): boolean {
  return (
    DATA.has(name) && (name !== "input" || object.type === "tool_use" || object.type === "server_tool_use")
  );
}

function holdsBytes(object: Json, value: string): boolean {
  const declared =
    (object.type === "base64" && typeof object.media_type === "string") || typeof object.format === "string";
  return declared && isBase64(value);
}

/** A label alone opens no door: what is not base64 is read as text. */
function isBase64(value: string): boolean {
  return value.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(value);
}

function rewriteString(value: string, rewrite: Rewrite): string {
  if (value.startsWith("data:") && DATA_URL.test(value.slice(0, 700))) {
    const comma = value.indexOf(",");
    return isBase64(value.slice(comma + 1)) ? value : rewrite(value);
  }
  return rewrite(value);
}

function rewriteNumber(value: number, rewrite: Rewrite, isData: boolean): unknown {
  if (!isData || !Number.isSafeInteger(value) || value < 1e8) return value;
  const text = String(value);
  const changed = rewrite(text);
  return changed === text ? value : changed;
}
