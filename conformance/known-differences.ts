/** Tests that an outside engine cannot pass, by name, each with why. What AWS itself does: docs/conformance.md. */
export interface Difference {
  file: string;
  test: string;
  /** The environment variable of the engine that differs: without that engine the test runs as ever. */
  engine: "DYNAMODB_JUDGE_URL" | "STORAGE_JUDGE_URL";
  reason: string;
}

const ENDPOINT = "packages/local/src/aws-endpoint.test.ts";

export const DIFFERENCES: Difference[] = [
  {
    file: ENDPOINT,
    test: "has the table with point-in-time recovery",
    engine: "DYNAMODB_JUDGE_URL",
    reason: "DynamoDB Local knows no backups (UnknownOperationException)",
  },
  {
    file: ENDPOINT,
    test: "charges a refused condition like the write",
    engine: "DYNAMODB_JUDGE_URL",
    reason: "DynamoDB Local says the consumed capacity of no refused write",
  },
  {
    file: ENDPOINT,
    test: "refuses what it does not know in place of storing it as a body",
    engine: "STORAGE_JUDGE_URL",
    reason: "moto implements tagging, and answers an empty TagSet with 500",
  },
  {
    file: ENDPOINT,
    test: "encodes keys in events as S3 does: + for a space, slashes left alone",
    engine: "STORAGE_JUDGE_URL",
    reason: "moto encodes the slashes of keys in events too (%2F)",
  },
  {
    file: ENDPOINT,
    test: "a move task takes messages from the dead-letter queue to where they came from",
    engine: "STORAGE_JUDGE_URL",
    reason: "moto has no StartMessageMoveTask",
  },
];
