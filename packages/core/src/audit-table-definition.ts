/**
 * The CreateTable input of `CentralLLMAudit`: keys, indexes and what each index carries. The local platform and infra/
 * both create the table from this one object. Why the keys look as they do: docs/decisions/audit-table.md.
 */
import type { CreateTableCommandInput } from "@aws-sdk/client-dynamodb";
import { TABLE_NAME } from "./platform.ts";

export const USER_TIME = "GSI_UserTime";
export const STATUS_TIME = "GSI_StatusTime";
export const PROJECT_LATENCY = "GSI_ProjectLatency";
/** Sparse: only rows whose status is not 200 have an entry. */
export const FAILURE_TIME = "GSI_FailureTime";
/** Sparse: only rows whose request id does not itself say where the row is have an entry. */
export const REQUEST_ID = "GSI_RequestId";

/** DynamoDB deletes a row some time after this epoch second. Absent: the row stays. */
export const TTL_ATTRIBUTE = "expiresAt";

/**
 * What a row of a list shows. An index row must stay below 1 KB, so that writing it costs one unit (a unit is 1 KB,
 * rounded up); previews and the object's key therefore live in the base item alone. The project, the time and the
 * request id are in every index row already: in the base table's keys. DynamoDB allows 20 names an index.
 */
export const LIST_ATTRIBUTES = [
  "userId",
  "statusCode",
  "latencyMs",
  "outcome",
  "profile",
  "model",
  "requestType",
  "stream",
  "promptTokens",
  "completionTokens",
  "costUsd",
  "timeToFirstTokenMs",
  "flags",
] as const;

/** Beside those, the two indexes that together go over all rows carry their place in the writers' chains, for `reconcile`. */
export const CHAIN_ATTRIBUTES = ["writer", "sequence"] as const;

const including = (...names: readonly string[]) => ({
  ProjectionType: "INCLUDE" as const,
  NonKeyAttributes: [...names],
});
const LIST_PROJECTION = including(...LIST_ATTRIBUTES);
const CHAIN_PROJECTION = including(...LIST_ATTRIBUTES, ...CHAIN_ATTRIBUTES);

const key = (hash: string, range: string) => [
  { AttributeName: hash, KeyType: "HASH" as const },
  { AttributeName: range, KeyType: "RANGE" as const },
];

/** `TableName` may be replaced (a stage's suffix); the rest may not. */
export const AUDIT_TABLE = {
  TableName: TABLE_NAME,
  BillingMode: "PAY_PER_REQUEST",
  AttributeDefinitions: [
    "id",
    "createdAt",
    "userIdPk",
    "userIdSk",
    "statusPk",
    "statusSk",
    "latencyPk",
    "latencySk",
    "failurePk",
    "failureSk",
    "requestIdPk",
  ].map((AttributeName) => ({ AttributeName, AttributeType: "S" as const })),
  KeySchema: key("id", "createdAt"),
  GlobalSecondaryIndexes: [
    { IndexName: USER_TIME, KeySchema: key("userIdPk", "userIdSk"), Projection: LIST_PROJECTION },
    { IndexName: STATUS_TIME, KeySchema: key("statusPk", "statusSk"), Projection: CHAIN_PROJECTION },
    { IndexName: PROJECT_LATENCY, KeySchema: key("latencyPk", "latencySk"), Projection: LIST_PROJECTION },
    { IndexName: FAILURE_TIME, KeySchema: key("failurePk", "failureSk"), Projection: CHAIN_PROJECTION },
    {
      IndexName: REQUEST_ID,
      KeySchema: [{ AttributeName: "requestIdPk", KeyType: "HASH" }],
      Projection: { ProjectionType: "KEYS_ONLY" },
    },
  ],
} satisfies CreateTableCommandInput;
