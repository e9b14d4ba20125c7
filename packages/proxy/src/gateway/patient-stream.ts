/** A provider's stream whose beginning has a time limit, and each wait within it another. */
import { PatientReader } from "./patient-reader.ts";
import { within } from "./time-limit.ts";
import { upstreamError } from "./upstream-error.ts";

export interface Patience {
  /** For an answer's head; of an answer that is not streamed that is the whole time of thinking. */
  firstByteTimeoutMs: number;
  /** Between two events of a stream. */
  idleTimeoutMs: number;
}

/**
 * Resolves with the first event, so that what the provider refuses in the stream is refused before an answer has begun.
 * @param signal ends the call at the provider too, also while it is read; so does leaving the loop that reads
 * @param open begins the call; its signal ends it
 * @throws UpstreamError, also while it is read
 */
export async function patientStream<Event>(
  { firstByteTimeoutMs, idleTimeoutMs }: Patience,
  signal: AbortSignal | undefined,
  open: (signal: AbortSignal) => Promise<AsyncIterable<Event>>,
): Promise<AsyncIterable<Event>> {
  const whole = new AbortController();
  const abort = () => whole.abort(ENDED);
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort, { once: true });
  const end = () => {
    signal?.removeEventListener("abort", abort);
    abort();
  };
  try {
    return await within(firstByteTimeoutMs, "first_byte_timeout", whole.signal, async (attempt) => {
      // When the first event is there, the attempt is over and `whole` alone can end the call.
      attempt.addEventListener("abort", abort, { once: true });
      const stream = await open(whole.signal);
      const reader = new PatientReader(stream[Symbol.asyncIterator](), idleTimeoutMs, whole.signal);
      try {
        const first = await reader.first();
        attempt.removeEventListener("abort", abort);
        return read(first, reader, end);
      } catch (error) {
        reader.close(false);
        throw error;
      }
    });
  } catch (error) {
    end();
    throw upstreamError(error);
  }
}

/** Made once: every stream ends with it, and a reason of its own would cost a stack trace each. */
const ENDED = new DOMException("The call was given up", "AbortError");

async function* read<Event>(
  first: IteratorResult<Event>,
  reader: PatientReader<Event>,
  end: () => void,
): AsyncGenerator<Event> {
  let item = first;
  try {
    while (!item.done) {
      yield item.value;
      item = await reader.next();
    }
  } catch (error) {
    throw upstreamError(error);
  } finally {
    reader.close(item.done === true);
    end();
  }
}
