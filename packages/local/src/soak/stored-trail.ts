/** What the platform holds at the end, read as an auditor would: every object and every row, not through its own queries. */
import { ScanCommand } from "@aws-sdk/client-dynamodb";
import * as Parallel from "@central-llm/core/parallel";
import * as Platform from "@central-llm/core/platform";
import { AuditTrail, type Link } from "@central-llm/proxy/testing/audit-trail";
import { REGION } from "../aws-endpoint.ts";
import { numberOf } from "./request-kind.ts";
import type { Stage } from "./stage.ts";

export interface AuditedRequest extends Link {
  key: string;
  /** The request's in the book; null when none of the soak's callers sent it. */
  number: number | null;
  /** Epoch ms by the proxy's clock, which may have been stepped. */
  receivedAt: number;
  statusCode: number;
  outcome: string;
  responseBytes: number;
}

const READS_AT_ONCE = 32;

export async function readObjects({ awsUrl }: Stage): Promise<AuditedRequest[]> {
  const trail = new AuditTrail({ url: awsUrl, region: REGION }, Platform.AUDIT_BUCKET);
  const objects: AuditedRequest[] = [];
  await Parallel.map(await trail.keys(), READS_AT_ONCE, async (key) => {
    const { record, sha256 } = await trail.read(key);
    const { receivedAt, statusCode, outcome, chain, http, response } = record;
    objects.push({
      key,
      number: numberOf(http.userAgent),
      receivedAt: Date.parse(receivedAt),
      statusCode,
      outcome,
      responseBytes: response.bytes,
      record: { chain },
      sha256,
    });
  });
  return objects;
}

/** The object's key of every row: one entry a row. */
export async function readRows({ dynamoDb }: Stage): Promise<string[]> {
  const keys: string[] = [];
  let ExclusiveStartKey: ScanCommand["input"]["ExclusiveStartKey"];
  do {
    const page = await dynamoDb.send(
      new ScanCommand({
        TableName: Platform.TABLE_NAME,
        ProjectionExpression: "auditObjectKey",
        // The charts' counts are in the same table.
        FilterExpression: "attribute_exists(auditObjectKey)",
        ExclusiveStartKey,
      }),
    );
    keys.push(...(page.Items ?? []).map(({ auditObjectKey }) => auditObjectKey?.S ?? ""));
    ExclusiveStartKey = page.LastEvaluatedKey;
  } while (ExclusiveStartKey);
  return keys;
}
