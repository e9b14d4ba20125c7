/** `/api/exports`: jobs that make files of all matches. */
import { GetObjectCommand } from "@aws-sdk/client-s3";
import { SendMessageCommand } from "@aws-sdk/client-sqs";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import * as ExportJob from "@central-llm/core/export-job";
import { fileKey } from "@central-llm/core/export-run";
import { filterOf } from "./audit-list.ts";
import { type Call, type CallOf, spanOf } from "./call.ts";
import type { Export } from "./contract-export.ts";
import { Failure, notFound } from "./failure.ts";

const LISTED = 100;
const LINK_SECONDS = 300;

function shown(job: ExportJob.ExportJob, now: number): Export {
  const { search, progress, state } = job;
  const [from, to] = [Date.parse(search.from), Date.parse(search.to)];
  const reached = progress.searchedUntil === null ? to : Date.parse(progress.searchedUntil);
  const expired = state === "done" && job.expiresAt * 1000 <= now;
  return {
    id: job.jobId,
    state: expired ? "expired" : state,
    format: job.format,
    content: job.content,
    filter: job.asked,
    reason: job.reason,
    createdAt: ExportJob.createdAt(job.jobId),
    createdBy: job.ownerName,
    startedAt: job.startedAt,
    finishedAt: job.finishedAt,
    rows: progress.rows,
    bytes: progress.bytes,
    progress: state === "done" ? 1 : Math.min(Math.max((to - reached) / (to - from), 0), 1),
    attempts: job.attempts,
    error: job.error,
    expiresAt: new Date(job.expiresAt * 1000).toISOString(),
  };
}

const enqueue = ({ context }: Pick<Call, "context">, { owner, jobId }: ExportJob.ExportJob) =>
  context.sqs.send(
    new SendMessageCommand({
      QueueUrl: context.config.EXPORT_QUEUE_URL,
      MessageBody: JSON.stringify({ owner, jobId }),
    }),
  );

export async function createExport(call: CallOf<"createExport">) {
  const { body, person, context } = call;
  const { from, to, ...given } = body.filter;
  const span = spanOf({ from, to }, call.receivedAt);
  if (body.content === "objects" && body.format !== "jsonl") {
    throw new Failure("invalid_request", "Whole records are exported as JSONL alone.", [
      { path: "body.format", message: "must be `jsonl`" },
    ]);
  }
  const filter = filterOf(person, given);
  await call.audit({
    action: "export",
    projectId: given.project ?? null,
    reason: body.reason,
    details: { filter: given, ...span, format: body.format, content: body.content },
  });
  const job = await ExportJob.create(context.table, {
    owner: person.subject,
    ownerName: person.name,
    format: body.format,
    content: body.content,
    search: { filter, sort: "newest", ...span },
    asked: { ...given, ...span },
    reason: body.reason,
  });
  await enqueue(call, job);
  return shown(job, call.receivedAt);
}

async function own({
  context,
  person,
  params,
}: Pick<Call, "context" | "person"> & { params: { id: string } }) {
  const job = await ExportJob.get(context.table, person.subject, params.id);
  if (job === null) throw notFound("The export");
  return job;
}

export async function exports({ context, person, receivedAt }: CallOf<"exports">) {
  const jobs = await ExportJob.list(context.table, person.subject, LISTED);
  return { exports: jobs.map((job) => shown(job, receivedAt)) };
}

export const exported = async (call: CallOf<"export">) => shown(await own(call), call.receivedAt);

export async function retryExport(call: CallOf<"retryExport">) {
  const job = await own(call);
  if (!(await ExportJob.retry(call.context.table, job))) {
    throw new Failure("conflict", "Only a failed export can be started again.", { state: job.state });
  }
  await enqueue(call, job);
  return shown(await own(call), call.receivedAt);
}

export async function exportLink(call: CallOf<"exportLink">) {
  const job = await own(call);
  const { state } = shown(job, call.receivedAt);
  if (state !== "done") throw new Failure("conflict", "The export has no file.", { state });
  await call.audit({ action: "download_export", target: job.jobId, details: { rows: job.progress.rows } });
  const fileName = `central-llm-${ExportJob.createdAt(job.jobId).slice(0, 19).replaceAll(":", "-")}.${job.format}`;
  const command = new GetObjectCommand({
    Bucket: call.context.config.EXPORT_BUCKET,
    Key: fileKey(job),
    ResponseContentDisposition: `attachment; filename="${fileName}"`,
  });
  return {
    url: await getSignedUrl(call.context.s3, command, { expiresIn: LINK_SECONDS }),
    fileName,
    expiresAt: new Date(Date.now() + LINK_SECONDS * 1000).toISOString(),
  };
}
