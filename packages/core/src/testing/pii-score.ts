/** How well the local engine does on the labelled set. A value counts as found only with its exact span. */
import { detect } from "../pii-detector.ts";
import { labelledTexts } from "./pii-labelled.ts";

export interface EntityScore {
  labelled: number;
  found: number;
  wrong: number;
  precision: number;
  recall: number;
}

export interface Score {
  texts: number;
  /** Texts without any value. */
  negatives: number;
  entities: Record<string, EntityScore>;
  /** What was found and is not labelled, and what is labelled and was not found. */
  mistakes: { id: number; kind: "wrong" | "missed"; entity: string; value: string }[];
}

export function score(): Score {
  const texts = labelledTexts();
  const entities: Record<string, EntityScore> = {};
  const mistakes: Score["mistakes"] = [];
  const of = (entity: string): EntityScore => {
    entities[entity] ??= { labelled: 0, found: 0, wrong: 0, precision: 1, recall: 1 };
    return entities[entity];
  };
  for (const { id, text, entities: wanted } of texts) {
    const open = [...wanted];
    for (const { entity } of wanted) of(entity).labelled++;
    for (const { entity, start, end } of detect(text)) {
      const value = text.slice(start, end);
      const place = open.findIndex((one) => one.entity === entity && one.value === value);
      if (place < 0) {
        of(entity).wrong++;
        mistakes.push({ id, kind: "wrong", entity, value });
      } else {
        of(entity).found++;
        open.splice(place, 1);
      }
    }
    for (const one of open) mistakes.push({ id, kind: "missed", ...one });
  }
  for (const one of Object.values(entities)) {
    one.precision = one.found + one.wrong === 0 ? 1 : one.found / (one.found + one.wrong);
    one.recall = one.labelled === 0 ? 1 : one.found / one.labelled;
  }
  return {
    texts: texts.length,
    negatives: texts.filter((one) => one.entities.length === 0).length,
    entities,
    mistakes,
  };
}
