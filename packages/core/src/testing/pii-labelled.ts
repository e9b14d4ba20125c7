/** The labelled set of made texts that the PII filter is judged by. */
import { readFileSync } from "node:fs";

export interface LabelledText {
  id: number;
  /** ISO 639-1. */
  lang: string;
  text: string;
  /** Every value in the text, in order of appearance. */
  entities: { entity: string; value: string }[];
}

/** `{+}` in the file keeps scanners for leaked secrets quiet about the made keys. */
export function labelledTexts(): LabelledText[] {
  const file = new URL("../../../../bench/pii/labelled.jsonl", import.meta.url);
  const lines = readFileSync(file, "utf8").replaceAll("{+}", "").trim().split("\n");
  return lines.map((line) => JSON.parse(line));
}
