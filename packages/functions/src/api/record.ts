/** One record: its row and metadata, its content for a reason, who looked at it, what the user called around it. */
import { createHash } from "node:crypto";
import { GetObjectCommand } from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import * as AuditNeighbours from "@central-llm/core/audit-neighbours";
import type { Item } from "@central-llm/core/audit-table";
import { AuditObjectError } from "@central-llm/core/dead-letter";
import { toListed } from "@central-llm/core/listed-row";
import * as RequestLookUp from "@central-llm/core/request-look-up";
import * as StoredObject from "@central-llm/core/stored-object";
import * as StoredRecord from "@central-llm/core/stored-record";
import { isVisible } from "./audit-list.ts";
import type { Call, CallOf } from "./call.ts";
import { notFound } from "./failure.ts";
import { may } from "./permission.ts";
import { shownMetadata } from "./shown-metadata.ts";
import { PREVIEWS, shownRow } from "./shown-row.ts";

type RecordCall = Pick<Call, "context" | "person"> & {
  params: { id: string };
  query: { receivedAt?: string | undefined };
};

/**
 * The rows that the id names and the person may see, the one that is meant first.
 * @throws {Failure} not_found, also for another's project: its existence is nobody's business
 */
export async function findRows({ context, person, params, query }: RecordCall): Promise<[Item, ...Item[]]> {
  const items = (await RequestLookUp.find(context.table, params.id)).filter((item) =>
    isVisible(toListed(item), person),
  );
  const at = query.receivedAt && new Date(query.receivedAt).toISOString();
  const meant = at ? items.find(({ createdAt }) => createdAt.startsWith(`${at}#`)) : items[0];
  if (!meant) throw notFound("The record");
  return [meant, ...items.filter((item) => item !== meant)];
}

export const placeOf = (row: Item) => ({ bucket: String(row.auditBucket), key: String(row.auditObjectKey) });

export async function record(call: CallOf<"record">) {
  const { context, person } = call;
  const [row, ...siblings] = await findRows(call);
  const hidden = may(person, "preview.read") ? [] : PREVIEWS.map((name) => `row.${name}`);
  const answer = {
    row: shownRow(toListed(row), person),
    objectKey: String(row.auditObjectKey),
    siblings: siblings.map((item) => shownRow(toListed(item), person)),
  };
  try {
    const place = placeOf(row);
    const { text, lastModified } = await StoredObject.read(
      context.s3,
      place,
      context.config.MAX_OBJECT_BYTES,
    );
    const shown = shownMetadata(StoredRecord.parse(text, { key: place.key, lastModified }), person);
    return { ...answer, metadata: shown.metadata, unavailable: null, hidden: [...hidden, ...shown.hidden] };
  } catch (error) {
    if (!(error instanceof AuditObjectError)) throw error;
    return { ...answer, metadata: null, unavailable: error.reason, hidden };
  }
}

/** With JSON's escapes around it, an answer of this much stays below Lambda's 6 MB. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
const LINK_SECONDS = 60;

export async function body(call: CallOf<"body">) {
  const { context } = call;
  const [row] = await findRows(call);
  const place = placeOf(row);
  const { requestId, projectId } = toListed(row);
  const { text } = await StoredObject.read(context.s3, place, context.config.MAX_OBJECT_BYTES).catch(gone);
  const bytes = Buffer.from(text);
  const viewId = await call.audit({
    action: "view_body",
    target: requestId,
    projectId,
    reason: call.body.reason,
  });
  const fits = bytes.length <= MAX_ANSWER_BYTES;
  return {
    object: fits ? parsed(text) : null,
    bytes: bytes.length,
    sha256: createHash("sha256").update(bytes).digest("hex"),
    download: fits
      ? null
      : {
          url: await getSignedUrl(
            context.s3,
            new GetObjectCommand({ Bucket: place.bucket, Key: place.key }),
            {
              expiresIn: LINK_SECONDS,
            },
          ),
          expiresAt: new Date(Date.now() + LINK_SECONDS * 1000).toISOString(),
        },
    viewId,
  };
}

/** An object that somebody spoilt after it was ingested is shown as the text that it is. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function gone(error: unknown): never {
  if (error instanceof AuditObjectError && error.reason === "missing_object")
    throw notFound("The object in S3");
  throw error;
}

export async function neighbours(call: CallOf<"neighbours">) {
  const { context, person, query } = call;
  const [row] = await findRows(call);
  // The user as keys hold it, long names and all.
  const user = String(row.userIdPk).replace(/#\d{4}-\d{2}#\d+$/, "");
  const around = await AuditNeighbours.around(context.table, user, row.createdAt, query.count);
  const shown = (rows: typeof around.before) =>
    rows
      .filter((one) => one.profile !== "console" && isVisible(one, person))
      .map((one) => shownRow(one, person));
  return { before: shown(around.before), after: shown(around.after) };
}
