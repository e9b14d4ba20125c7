/** The table that answers questions about the audit trail, made from core's definition so that it cannot drift. */
import { AUDIT_TABLE, TTL_ATTRIBUTE } from "@central-llm/core/audit-table-definition";
import { key } from "./encryption.ts";
import { holdsData, named, settings } from "./stage.ts";

const definition: import("@aws-sdk/client-dynamodb").CreateTableCommandInput = AUDIT_TABLE;

function keysOf(schema: { AttributeName?: string; KeyType?: string }[] | undefined) {
  const find = (type: string) => schema?.find((part) => part.KeyType === type)?.AttributeName;
  const hashKey = find("HASH");
  if (!hashKey) throw new Error("a key schema without a HASH part");
  const rangeKey = find("RANGE");
  return { hashKey, ...(rangeKey && { rangeKey }) };
}

export const table = new aws.dynamodb.Table(
  "AuditTable",
  {
    name: named(AUDIT_TABLE.TableName),
    billingMode: AUDIT_TABLE.BillingMode,
    ...keysOf(definition.KeySchema),
    attributes: AUDIT_TABLE.AttributeDefinitions.map(({ AttributeName, AttributeType }) => ({
      name: AttributeName,
      type: AttributeType,
    })),
    globalSecondaryIndexes: (definition.GlobalSecondaryIndexes ?? []).map((index) => ({
      name: index.IndexName ?? "",
      ...keysOf(index.KeySchema),
      projectionType: index.Projection?.ProjectionType ?? "ALL",
      ...(index.Projection?.NonKeyAttributes && { nonKeyAttributes: index.Projection.NonKeyAttributes }),
    })),
    ttl: { attributeName: TTL_ATTRIBUTE, enabled: true },
    pointInTimeRecovery: { enabled: true, recoveryPeriodInDays: 35 },
    serverSideEncryption: { enabled: true, kmsKeyArn: key.arn },
    deletionProtectionEnabled: settings.production,
  },
  holdsData,
);
