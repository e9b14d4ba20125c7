/** Reads an OpenAI-compatible server's stream of chunks, and tells one that ended from one that broke off. */
import { EventBlocks } from "../event-blocks.ts";
import { parseEvents } from "../server-sent-events.ts";
import { parseObject } from "../stream-assembly.ts";
import type { AnswerBody } from "../upstream-call.ts";
import { badAnswer } from "./compatible-error.ts";
import type { Json } from "./model-route.ts";

/** The parsed `data:` of each event. @param refusal what an event with an `error` becomes @throws UpstreamError */
export async function* chunksOf(
  body: AnswerBody,
  refusal: (status: number, text: string) => Error,
): AsyncGenerator<Json> {
  const pieces = body[Symbol.asyncIterator]();
  const blocks = new EventBlocks();
  const open = new Set<unknown>();
  try {
    for (let piece = await pieces.next(); !piece.done; piece = await pieces.next()) {
      for (const block of cut(blocks, piece.value)) {
        for (const { data } of parseEvents(block.toString("utf8"))) {
          if (data === "[DONE]") return await ended(pieces);
          const chunk = parseObject(data);
          if (chunk === null) throw badAnswer("an event that is no JSON object");
          const status = errorIn(chunk);
          if (status !== null) throw refusal(status, data);
          follow(chunk, open);
          yield chunk;
        }
      }
    }
  } finally {
    // A read may be under way still, behind which the iterator's own end would wait.
    body.destroy();
  }
  // Some servers end without `[DONE]`; a stream that broke off has choices that never finished.
  if (open.size !== 1 || !open.has(FINISHED)) throw badAnswer("a stream that broke off");
}

/** A connection can be used again when its answer has come to its end, which is a moment behind the last event. */
const END_MS = 250;

async function ended(pieces: AsyncIterator<Buffer>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, END_MS);
  });
  const rest = async () => {
    while (!(await pieces.next()).done);
  };
  // All events have come: how the connection ends concerns nobody but the pool.
  await Promise.race([rest().catch(() => {}), late]);
  clearTimeout(timer);
}

function cut(blocks: EventBlocks, piece: Buffer): Buffer[] {
  try {
    return blocks.push(piece);
  } catch (problem) {
    if (problem instanceof RangeError) throw badAnswer(problem.message);
    throw problem;
  }
}

const FINISHED = Symbol("finished");

/** Keeps the choices that have begun and not finished, and a mark once one has finished. */
function follow({ choices }: Json, open: Set<unknown>): void {
  for (const choice of Array.isArray(choices) ? choices : []) {
    const { index, finish_reason: reason } = choice as { index?: unknown; finish_reason?: unknown };
    if (reason === null || reason === undefined) open.add(index);
    else open.delete(index);
    if (reason) open.add(FINISHED);
  }
}

/**
 * Whether an answer or an event that came with status 200 is an error; older vLLM puts no member around it.
 * @returns the status that it says, 500 where it says none; null when it is no error
 */
export function errorIn(said: Json): number | null {
  if (!said.error && said.object !== "error") return null;
  const { code } = (said.error || said) as { code?: unknown };
  return typeof code === "number" && code >= 400 && code < 600 ? code : 500;
}
