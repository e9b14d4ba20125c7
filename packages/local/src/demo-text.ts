/** What the demo model says: plausible English that depends on the prompt alone, so that a repeated call gives the same bytes. */
import { createHash } from "node:crypto";

const OPENINGS = [
  "Here is a short answer.",
  "Let me put it plainly.",
  "In brief:",
  "There are two sides to this.",
  "A good question.",
];
const SENTENCES = [
  "The first thing to look at is %, because the rest follows from it.",
  "Most teams start small with %, measure, and only then widen the scope.",
  "If % changes later, the plan should be read again from the top.",
  "It helps to write down what % is meant to achieve before choosing how.",
  "A simple check of % every week catches most surprises early.",
  "Costs stay predictable as long as % is reviewed together with its owner.",
  "When in doubt, ask the people who use % every day.",
];
const FILLER = ["the goal", "the data", "the plan", "the audience", "the budget", "the schedule"];

export function digest(...parts: unknown[]): Buffer {
  return createHash("sha256").update(JSON.stringify(parts)).digest();
}

const pick = <T>(from: readonly T[], byte: number): T => from[byte % from.length] as T;

const wordsIn = (text: string) => text.split(" ").length;

/** @param words roughly how many, when given */
export function answerTo(prompt: string, words?: number): string {
  const asked = prompt.trim();
  if (/^ping[.!?]?$/i.test(asked)) return "pong";
  const hash = digest(asked);
  const topics = [...new Set(asked.match(/[\p{L}\p{N}-]{5,}/gu) ?? [])].slice(-12);
  const sentences = [pick(OPENINGS, hash[0] ?? 0)];
  const wanted = words ?? 25 + ((hash[1] ?? 0) % 40);
  let count = wordsIn(sentences[0] ?? "");
  for (let i = 0; count < wanted; i++) {
    const byte = hash[(i + 2) % hash.length] ?? 0;
    const topic = topics.length > 0 ? pick(topics, byte + i) : pick(FILLER, byte + i);
    const sentence = pick(SENTENCES, byte + i * 3).replace("%", topic);
    sentences.push(sentence);
    count += wordsIn(sentence);
  }
  return words === undefined ? sentences.join(" ") : sentences.join(" ").split(" ").slice(0, words).join(" ");
}

/** The pieces that are streamed: words with the space before them, and punctuation. Joined they are the text. */
export function tokens(text: string): string[] {
  return text.match(/\s*[\p{L}\p{N}_'-]+|\s*[^\s\p{L}\p{N}]|\s+$/gu) ?? [];
}

export function countTokens(text: string): number {
  return tokens(text).length;
}

type Schema = {
  type?: string | string[];
  properties?: Record<string, Schema>;
  items?: Schema;
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  minimum?: number;
};

/** A value that fits a (simple) JSON schema; strings are taken from the text. */
export function exampleOf(schema: Schema, text: string, name = ""): unknown {
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0];
  if (schema.anyOf?.[0]) return exampleOf(schema.anyOf[0], text, name);
  switch ([schema.type].flat()[0]) {
    case "array":
      return [exampleOf(schema.items ?? {}, text, name)];
    case "integer":
    case "number":
      return schema.minimum ?? 1;
    case "boolean":
      return true;
    case "null":
      return null;
    case "string": {
      // A capitalised word is most likely what a caller wants to see come back: a city, a name.
      const proper = text.match(/(?<=\s)\p{Lu}[\p{L}-]+/u)?.[0];
      return proper ?? text.split(/\s+/).at(-1) ?? name;
    }
    default:
      return Object.fromEntries(
        Object.entries(schema.properties ?? {}).map(([key, value]) => [key, exampleOf(value, text, key)]),
      );
  }
}
