/** Reading a stream of server-sent events that has ended (WHATWG HTML §9.2.6, as far as model servers use it). */

export interface ServerSentEvent {
  event: string | null;
  data: string;
}

/** The events in the text; one that the stream's end cut off is not among them. */
export function parseEvents(text: string): ServerSentEvent[] {
  const events: ServerSentEvent[] = [];
  let event: string | null = null;
  let data: string[] = [];
  const lines = text.split(/\r\n|\n|\r/);
  // Behind the last line end is nothing, or a line that never ended.
  lines.pop();
  for (const line of lines) {
    if (line === "") {
      if (data.length > 0) events.push({ event, data: data.join("\n") });
      event = null;
      data = [];
    } else if (line.startsWith("data:")) {
      data.push(line.charCodeAt(5) === 32 ? line.slice(6) : line.slice(5));
    } else if (line.startsWith("event:")) {
      event = line.slice(6).trim();
    }
  }
  return events;
}
