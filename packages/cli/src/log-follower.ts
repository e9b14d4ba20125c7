/** A CloudWatch log group, read from a time on. */
import { type CloudWatchLogsClient, FilterLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs";

/** CloudWatch takes this long to show a line; a window that is read again must overlap by it. */
const LATE_MS = 30_000;

/** Reads a log group from a time on, each line once, although CloudWatch shows lines late and out of order. */
export class LogFollower {
  readonly #client: CloudWatchLogsClient;
  readonly #group: string;
  readonly #filter: string | undefined;
  readonly #seen = new Map<string, number>();
  #from: number;

  constructor(client: CloudWatchLogsClient, group: string, from: number, filter?: string) {
    this.#client = client;
    this.#group = group;
    this.#from = from;
    this.#filter = filter;
  }

  /** The lines that have appeared since the last call: time, then text without its line end. */
  async *next(): AsyncGenerator<string> {
    let nextToken: string | undefined;
    let newest = this.#from;
    do {
      const page = await this.#client.send(
        new FilterLogEventsCommand({
          logGroupName: this.#group,
          startTime: this.#from,
          ...(this.#filter && { filterPattern: this.#filter }),
          ...(nextToken && { nextToken }),
        }),
      );
      for (const { eventId = "", timestamp = 0, message = "" } of page.events ?? []) {
        if (this.#seen.has(eventId)) continue;
        this.#seen.set(eventId, timestamp);
        newest = Math.max(newest, timestamp);
        yield `${new Date(timestamp).toISOString()}  ${message.trimEnd()}`;
      }
      nextToken = page.nextToken;
    } while (nextToken !== undefined);
    this.#from = Math.max(this.#from, newest - LATE_MS);
    for (const [id, at] of this.#seen) if (at < this.#from) this.#seen.delete(id);
  }
}
