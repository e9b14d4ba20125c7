/** The PII filter over a stream as it is written: server-sent events in, server-sent events out. */
import type { ApiError } from "@central-llm/core/api-error";
import { type AnswerOutcome, PiiAnswerStream } from "@central-llm/core/pii-answer-stream";
import type { Finding } from "@central-llm/core/pii-entity";
import type { PiiPolicy } from "@central-llm/core/pii-policy";

export interface Written {
  text: string;
  /** Send the text, then this as the stream's last event; read no more from the model. */
  stop: { error: ApiError; cause: string | undefined } | null;
}

const DONE = "[DONE]";

export class PiiSse {
  readonly #stream: PiiAnswerStream;

  constructor(policy: PiiPolicy) {
    this.#stream = new PiiAnswerStream(policy);
  }

  get findings(): readonly Finding[] {
    return this.#stream.findings;
  }

  /** @param text whole events, as our encoders write them: `event:` and `data:` in a line each */
  push(text: string): Written {
    let out = "";
    for (const event of text.split("\n\n")) {
      if (event === "") continue;
      const at = event.indexOf("data: ") + 6;
      if (event.startsWith(DONE, at)) {
        out += `${event}\n\n`;
        continue;
      }
      const written = write(this.#stream.push(JSON.parse(event.slice(at))));
      out += written.text;
      if (written.stop) return { text: out, stop: written.stop };
    }
    return { text: out, stop: null };
  }

  /** What is held back still. Before the stream's own last words. */
  end(): Written {
    return write(this.#stream.end());
  }
}

function write(outcome: AnswerOutcome): Written {
  let text = "";
  for (const event of outcome.events) {
    // Anthropic's events say their type twice.
    if (typeof event.type === "string") text += `event: ${event.type}\n`;
    text += `data: ${JSON.stringify(event)}\n\n`;
  }
  const stop = outcome.outcome === "stop" ? { error: outcome.error, cause: outcome.cause } : null;
  return { text, stop };
}
