/**
 * Keeps a file a UTC day in the cost-tracking bucket (docs/decisions/cost-file.md). Every gateway tries at the same moments;
 * the one that gets PostgreSQL's advisory lock does the work, the others leave it.
 */
import { createHash } from "node:crypto";
import { HeadObjectCommand, NotFound, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import type pg from "pg";
import type { Logger } from "pino";
import * as CostFile from "./cost-file.ts";
import type { Database } from "./database.ts";

/** How far back a file that was never finished is made up for: everybody was away, or S3 was. */
const LOOK_BACK_MS = 31 * 86_400_000;
const LOCK = 7_164_390_022;

export interface CostFilesOptions {
  database: Pick<Database, "session">;
  bucket: string;
  region: string;
  /** Another S3 than AWS's own. */
  endpoint: string | undefined;
  everyMs: number;
  log: Logger;
}

export class CostFiles {
  readonly #options: CostFilesOptions;
  readonly #s3: S3Client;
  /** Days whose file is final, as far as this process knows. */
  readonly #final = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: CostFilesOptions) {
    this.#options = options;
    const { region, endpoint } = options;
    this.#s3 = new S3Client({
      region,
      maxAttempts: 3,
      // An endpoint of our own has an IP address, which can carry no bucket name.
      ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    });
  }

  /** Now, and then whenever the clock passes a multiple of the period. */
  start(): void {
    this.#running = this.#try().then(() => {
      if (this.#stopped) return;
      const { everyMs } = this.#options;
      this.#timer = setTimeout(() => this.start(), everyMs - (Date.now() % everyMs)).unref();
    });
  }

  /** Waits for what is being written. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
    this.#s3.destroy();
  }

  /** What went wrong is tried again the next time; an alarm looks for the line that says that it went well. */
  async #try(): Promise<void> {
    const { log } = this.#options;
    try {
      const written = await this.update(Date.now());
      if (written !== null) log.info({ written }, "The cost files are up to date");
    } catch (error) {
      if (!this.#stopped) log.error({ err: error }, "The cost files could not be written");
    }
  }

  /**
   * Brings the files up to date: those of open days, and of closed ones that were never made final.
   * @returns the days whose file is another now; null when another process is at it
   */
  async update(now: number): Promise<string[] | null> {
    // A connection of its own: the lock lasts as long as it does, also when this process is killed.
    const client = this.#options.database.session("cost-file", CostFile.TIMEOUT_MS);
    client.on("error", () => {}); // The query that is under way fails with it.
    try {
      await client.connect();
      const lock = await client.query<{ got: boolean }>("SELECT pg_try_advisory_lock($1) AS got", [LOCK]);
      if (!lock.rows[0]?.got) return null;
      const first = await CostFile.firstDay(client);
      const written: string[] = [];
      if (first === null) return written;
      const oldest = CostFile.dayOf(now - LOOK_BACK_MS);
      for (
        let day = first > oldest ? first : oldest;
        day <= CostFile.dayOf(now);
        day = CostFile.nextDay(day)
      ) {
        if (this.#stopped) break;
        if (await this.#write(client, day, now >= CostFile.closesAt(day))) written.push(day);
      }
      return written;
    } finally {
      await client.end();
    }
  }

  async #write(client: pg.ClientBase, day: string, closed: boolean): Promise<boolean> {
    if (this.#final.has(day)) return false;
    const place = { Bucket: this.#options.bucket, Key: CostFile.keyOf(day) };
    const stored = await this.#stored(place);
    let written = false;
    if (stored.final !== "true") {
      const Body = await CostFile.content(client, day);
      const sha256 = createHash("sha256").update(Body).digest("hex");
      written = stored.sha256 !== sha256 || closed;
      const Metadata = { sha256, final: String(closed) };
      if (written)
        await this.#s3.send(new PutObjectCommand({ ...place, Body, ContentType: "text/csv", Metadata }));
    }
    if (closed) this.#final.add(day);
    return written;
  }

  async #stored(place: { Bucket: string; Key: string }): Promise<Record<string, string>> {
    try {
      return (await this.#s3.send(new HeadObjectCommand(place))).Metadata ?? {};
    } catch (error) {
      if (error instanceof NotFound) return {};
      throw error;
    }
  }
}
