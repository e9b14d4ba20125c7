/** Works on an export job until the file is there, or the time is over: then another call goes on. */
import type { S3Client } from "@aws-sdk/client-s3";
import * as AuditSearch from "./audit-search.ts";
import * as AuditTable from "./audit-table.ts";
import { ExportFile } from "./export-file.ts";
import * as ExportJob from "./export-job.ts";
import type { ListedRow } from "./listed-row.ts";
import * as Parallel from "./parallel.ts";
import * as StoredObject from "./stored-object.ts";

export interface ExportContext {
  table: AuditTable.AuditTable;
  s3: S3Client;
  bucket: string;
  maxObjectBytes: number;
  /** One row as a line of the file, with its line break; null: the file's first line, if it has one. */
  line(format: ExportJob.ExportJob["format"], row: ListedRow | null): string;
  /** For tests. */
  partBytes?: number;
}

const PAGE = 250;
const READS_AT_ONCE = 16;

export const fileKey = ({ jobId, format }: Pick<ExportJob.ExportJob, "jobId" | "format">) =>
  `exports/${jobId}.${format}`;
const CONTENT_TYPE = { csv: "text/csv; charset=utf-8", jsonl: "application/jsonl" } as const;

/**
 * @param signal the time is over
 * @returns `again`: another call has to go on; `skipped`: somebody else works on it, or it is not to be worked on
 */
export async function run(
  context: ExportContext,
  owner: string,
  jobId: string,
  signal: AbortSignal,
): Promise<"done" | "failed" | "again" | "skipped"> {
  const job = await ExportJob.claim(context.table, owner, jobId, Date.now());
  if (job === null) return "skipped";
  try {
    return await work(context, job, signal);
  } catch (error) {
    // Names alone: messages of clients may quote keys or content.
    const failed = { ...job, state: "failed" as const, finishedAt: new Date().toISOString() };
    await ExportJob.save(context.table, { ...failed, error: error instanceof Error ? error.name : "Error" });
    return "failed";
  }
}

async function work(context: ExportContext, job: ExportJob.ExportJob, signal: AbortSignal) {
  const { table, s3, bucket, partBytes } = context;
  const place = { bucket, key: fileKey(job), contentType: CONTENT_TYPE[job.format] };
  const file = new ExportFile(s3, place, job.checkpoint, partBytes);
  // What is in unfinished parts counts for progress alone; after a break it is written again.
  const seen = { ...job.checkpoint };
  if (job.checkpoint.parts.length === 0) await file.write(context.line(job.format, null));
  for (;;) {
    const page = await AuditSearch.page(table, job.search, {
      limit: PAGE,
      cursor: seen.cursor,
      previews: job.content === "rows",
    });
    const lines = await linesOf(context, job, page.rows);
    const text = lines.join("");
    seen.rows += lines.length;
    seen.bytes += Buffer.byteLength(text);
    seen.cursor = page.cursor;
    seen.searchedUntil = page.searchedUntil;
    if (await file.write(text)) job.checkpoint = { ...seen, ...file.state };
    if (page.cursor === null) break;
    const paused = signal.aborted;
    // The item shows the progress, and goes on from its parts.
    const shown = { ...job, checkpoint: { ...job.checkpoint }, ...(paused && { state: "queued" as const }) };
    job.progress = { rows: seen.rows, bytes: seen.bytes, searchedUntil: seen.searchedUntil };
    if (!(await ExportJob.save(table, { ...shown, progress: job.progress }))) return "skipped";
    if (paused) return "again";
  }
  await file.finish();
  const finished: ExportJob.ExportJob = {
    ...job,
    state: "done",
    finishedAt: new Date().toISOString(),
    progress: { rows: seen.rows, bytes: seen.bytes, searchedUntil: seen.searchedUntil },
  };
  return (await ExportJob.save(table, finished)) ? "done" : "skipped";
}

async function linesOf(
  { s3, table, maxObjectBytes, line }: ExportContext,
  { format, content }: ExportJob.ExportJob,
  rows: ListedRow[],
): Promise<string[]> {
  if (content === "rows") return rows.map((row) => line(format, row));
  const items = (await Promise.all(chunks(rows).map((chunk) => AuditTable.getRows(table, chunk)))).flat();
  const whole = new Map(items.map((item) => [`${item.id}\n${item.createdAt}`, item]));
  return Parallel.map(rows, READS_AT_ONCE, async (row) => {
    const item = whole.get(`${row.id}\n${row.createdAt}`);
    if (!item) return "";
    const place = { bucket: String(item.auditBucket), key: String(item.auditObjectKey) };
    const { text } = await StoredObject.read(s3, place, maxObjectBytes);
    // On one line, whatever the writer's layout was.
    return `${JSON.stringify(JSON.parse(text))}\n`;
  });
}

/** DynamoDB's limit of a BatchGetItem. */
const BATCH = 100;
const chunks = (rows: ListedRow[]) =>
  Array.from({ length: Math.ceil(rows.length / BATCH) }, (_, at) => rows.slice(at * BATCH, (at + 1) * BATCH));
