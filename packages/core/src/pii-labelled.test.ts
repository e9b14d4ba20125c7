/** The detector against the labelled set. `node bench/pii.ts` prints the whole table. */
import { expect, test } from "vitest";
import { score } from "./testing/pii-score.ts";

/** precision, recall. */
const FLOORS: Record<string, [number, number]> = {
  CREDIT_CARD: [0.98, 0.95],
  IBAN: [0.98, 0.95],
  EMAIL: [0.97, 0.95],
  PHONE: [0.95, 0.9],
  US_SSN: [0.95, 0.95],
  UK_NINO: [0.95, 0.95],
  IP_ADDRESS: [0.95, 0.95],
  PASSPORT: [0.9, 0.85],
  API_KEY: [0.97, 0.95],
  PRIVATE_KEY: [0.98, 0.95],
};

test("precision and recall, by entity", () => {
  const { texts, entities } = score();
  expect(texts).toBeGreaterThanOrEqual(400);
  expect(Object.keys(entities).sort()).toEqual(Object.keys(FLOORS).sort());
  for (const [entity, { precision, recall }] of Object.entries(entities)) {
    const [leastPrecision, leastRecall] = FLOORS[entity] ?? [1, 1];
    expect(precision, `precision of ${entity}`).toBeGreaterThanOrEqual(leastPrecision);
    expect(recall, `recall of ${entity}`).toBeGreaterThanOrEqual(leastRecall);
  }
});
