/** A row as lists show it, from whichever index: DynamoDB's keys are taken apart, absent attributes stay absent. */

import type { AuditRow } from "./audit-row.ts";
import type { Item } from "./audit-table.ts";
import { CHAIN_ATTRIBUTES, LIST_ATTRIBUTES } from "./audit-table-definition.ts";

type Listed = (typeof LIST_ATTRIBUTES | typeof CHAIN_ATTRIBUTES)[number];

export interface ListedRow extends Partial<Pick<AuditRow, Listed>> {
  /** ISO 8601, UTC, milliseconds. */
  receivedAt: string;
  requestId: string;
  projectId: string;
  /** Only where the base item was read: by project, and by request id. */
  promptPreview?: string;
  responsePreview?: string;
  /** The row's key in the table. */
  id: string;
  createdAt: string;
}

export function toListed(item: Item): ListedRow {
  const values = item as Item & Partial<AuditRow>;
  const separator = item.createdAt.indexOf("#");
  const row: ListedRow = {
    receivedAt: item.createdAt.slice(0, separator),
    requestId: values.requestId ?? item.createdAt.slice(separator + 1),
    projectId: values.projectId ?? item.id.slice("project#".length),
    id: item.id,
    createdAt: item.createdAt,
  };
  const shown = [...LIST_ATTRIBUTES, ...CHAIN_ATTRIBUTES, "promptPreview", "responsePreview"] as const;
  for (const name of shown) if (values[name] !== undefined) Object.assign(row, { [name]: values[name] });
  return row;
}
