/**
 * Makes a dead writer's spool whole: cuts what its death left torn, and gives every intent without an end an end of its own
 * (`interrupted`), on disk before anything is sent, so that a recovery that dies itself is repeated to the same bytes.
 */
import { constants } from "node:fs";
import { truncate } from "node:fs/promises";
import { join } from "node:path";
import { readCheckpoint } from "./checkpoint.ts";
import { SpoolFile } from "./spool-file.ts";
import { type Frame, KIND } from "./spool-frame.ts";
import { segmentName } from "./spool-layout.ts";
import { SegmentReader, segmentsOf } from "./spool-reader.ts";
import type { EndPart, RequestPart } from "./spool-record.ts";

export interface Recovered {
  /** How far `WriterUpload.advance` may read; null when there is nothing in the folder. */
  safe: { segment: number; bytes: number } | null;
  interrupted: number;
  /** Bytes cut from ends of segments that were never written whole. */
  tornBytes: number;
}

/** @param now epoch milliseconds of the recovery: the interrupted records' end */
export async function recover(directory: string, now: number): Promise<Recovered> {
  const segments = await segmentsOf(directory);
  const checkpoint = await readCheckpoint(directory);
  const open = new Map<string, { meta: string; request: Buffer }>();
  let sequence = checkpoint.sequence;
  let tornBytes = 0;
  for (const segment of segments) {
    tornBytes += await scan(directory, segment, (frame) => {
      if (frame.kind === KIND.intent) {
        const { id } = JSON.parse(frame.meta) as RequestPart;
        // A copy: the frame points into the reader's buffer, which would be kept alive as a whole.
        open.set(id, { meta: frame.meta, request: Buffer.from(frame.request) });
      } else if (frame.kind === KIND.end) {
        const end = JSON.parse(frame.meta) as RequestPart & EndPart;
        open.delete(end.id);
        sequence = Math.max(sequence, end.sequence);
      }
    });
  }
  const last = segments.at(-1);
  if (last === undefined) return { safe: null, interrupted: 0, tornBytes };
  if (open.size === 0) return { safe: await endOf(directory, last), interrupted: 0, tornBytes };
  const file = await SpoolFile.open(
    join(directory, segmentName(last + 1)),
    constants.O_CREAT | constants.O_TRUNC | constants.O_RDWR,
  );
  for (const { meta, request } of open.values()) {
    const received = (JSON.parse(meta) as RequestPart).receivedAt;
    const end: EndPart = {
      sequence: ++sequence,
      completedAt: Math.max(now, received),
      latencyMs: Math.max(0, now - received),
      queueTimeMs: null,
      timeToFirstTokenMs: null,
      statusCode: 500,
      outcome: "interrupted",
      error: {
        type: "interrupted",
        message: "The proxy died before this request ended; what was answered is unknown.",
      },
      responseHeaders: {},
      responseBytes: 0,
      responseChunks: 0,
      responseComplete: false,
    };
    await file.appendFrame(KIND.end, `${meta.slice(0, -1)},${JSON.stringify(end).slice(1)}`, request);
  }
  await file.sync();
  await file.close();
  return { safe: { segment: last + 1, bytes: file.bytes }, interrupted: open.size, tornBytes };
}

/** Calls `take` for each frame and cuts the file behind the last whole one. @returns bytes cut */
async function scan(directory: string, segment: number, take: (frame: Frame) => void): Promise<number> {
  const reader = await SegmentReader.open(directory, segment);
  try {
    const size = await reader.size();
    for (;;) {
      const frame = await reader.next(size);
      if (frame === "short" || frame === "damaged") break;
      take(frame);
    }
    const torn = size - reader.offset;
    if (torn > 0) await truncate(join(directory, segmentName(segment)), reader.offset);
    return torn;
  } finally {
    await reader.close();
  }
}

async function endOf(directory: string, segment: number): Promise<{ segment: number; bytes: number }> {
  const reader = await SegmentReader.open(directory, segment);
  try {
    return { segment, bytes: await reader.size() };
  } finally {
    await reader.close();
  }
}
