/** The audit table's entity in ElectroDB's terms. Private to core: others use `audit-table.ts`. */
import { Entity } from "electrodb";
import {
  FAILURE_TIME,
  PROJECT_LATENCY,
  REQUEST_ID,
  STATUS_TIME,
  USER_TIME,
} from "./audit-table-definition.ts";

const text = { type: "string" } as const;
const required = { type: "string", required: true } as const;
const number = { type: "number" } as const;

/** A key that is an attribute of its own: `audit-index.ts` composes its value, so ElectroDB takes it as it is. */
const key = <const F extends string>(field: F) => ({
  field,
  composite: [field] as [F],
  casing: "none" as const,
});

/** @param table its name in DynamoDB */
export function auditEntity(table: string) {
  return new Entity(
    {
      model: { entity: "audit", service: "central-llm", version: "1" },
      attributes: {
        id: required,
        createdAt: required,
        requestId: required,
        projectId: required,
        userId: required,
        statusCode: { type: "number", required: true },
        latencyMs: { type: "number", required: true },
        outcome: required,
        profile: text,
        model: text,
        requestType: text,
        stream: { type: "boolean" },
        promptTokens: number,
        completionTokens: number,
        costUsd: number,
        timeToFirstTokenMs: number,
        flags: { type: "list", items: { type: "string" } },
        promptPreview: required,
        responsePreview: required,
        auditBucket: required,
        auditObjectKey: required,
        schemaVersion: number,
        provider: text,
        clientRequestId: text,
        writer: text,
        sequence: number,
        keyId: text,
        teamId: text,
        pii: text,
        accessTarget: text,
        accessProject: text,
        accessReason: text,
        expiresAt: number,
        userIdPk: required,
        userIdSk: required,
        statusPk: required,
        statusSk: required,
        latencyPk: required,
        latencySk: required,
        failurePk: text,
        failureSk: text,
        requestIdPk: text,
      },
      indexes: {
        project: { pk: key("id"), sk: key("createdAt") },
        user: { index: USER_TIME, pk: key("userIdPk"), sk: key("userIdSk") },
        status: { index: STATUS_TIME, pk: key("statusPk"), sk: key("statusSk") },
        latency: { index: PROJECT_LATENCY, pk: key("latencyPk"), sk: key("latencySk") },
        failure: {
          index: FAILURE_TIME,
          pk: key("failurePk"),
          sk: key("failureSk"),
          condition: (row: { failurePk?: string }) => row.failurePk !== undefined,
        },
        request: {
          index: REQUEST_ID,
          pk: key("requestIdPk"),
          condition: (row: { requestIdPk?: string }) => row.requestIdPk !== undefined,
        },
      },
    },
    { table },
  );
}
