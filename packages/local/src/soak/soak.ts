/** A soak: load, faults, settlement, ledger. */
import { setTimeout as delay } from "node:timers/promises";
import * as Platform from "@central-llm/core/platform";
import { FaultSchedule } from "./fault-schedule.ts";
import type { Evidence } from "./ledger.ts";
import { ProxyWatch } from "./proxy-watch.ts";
import { RequestBook } from "./request-book.ts";
import { SeededRandom } from "./seeded-random.ts";
import { messages, reconcileAll, settle, uploadAll } from "./settlement.ts";
import { Stage } from "./stage.ts";
import { type AuditedRequest, readObjects, readRows } from "./stored-trail.ts";
import { traffic } from "./traffic.ts";

export interface SoakSettings {
  minutes: number;
  /** Requests a second. */
  rate: number;
  seed: number;
  /** Where spool, logs and clock lie; data are in memory. */
  folder: string;
}

const SHORT_SOAK_S = 120;
const LOOK_EVERY_MS = 2_000;
/** Around the soak: writers speak before their first and after their last record. */
const MARGIN_MS = 60_000;

/** @param say gets a line of progress now and then @param stop ends the load early; the ledger is made all the same */
export async function soak(
  settings: SoakSettings,
  say: (line: string) => void,
  stop: AbortSignal,
): Promise<Evidence> {
  const seconds = settings.minutes * 60;
  const short = seconds < SHORT_SOAK_S;
  const stage = await Stage.start(settings.folder, short ? 1 : 5);
  try {
    const { fleet } = stage;
    const book = new RequestBook();
    const watch = new ProxyWatch(fleet.steady);
    const startedAt = Date.now();
    const loadEnds = AbortSignal.any([stop, AbortSignal.timeout(seconds * 1_000)]);
    const faults = new FaultSchedule(stage, book, { seed: settings.seed, seconds, short }, loadEnds);
    const watching = new AbortController();
    const watched = watchOver(stage, watch, watching.signal, async () => {
      const { fleet: now } = stage;
      const waiting = await messages(stage, Platform.INGEST_QUEUE).catch(() => Number.NaN);
      say(
        `${Math.round((Date.now() - startedAt) / 1_000)} s: ${book.sent} sent, ${book.count("answered")} answered, ` +
          `${book.count("killed")} killed, ${book.count("unexplained")} unexplained; spool ${watch.last?.spoolRecords}, queue ${waiting}; ` +
          `RSS ${Math.round((watch.last?.rssBytes ?? 0) / 2 ** 20)} MiB; ${now.lives.length} lives; ${[...faults.current].join(", ") || "calm"}`,
      );
    });
    const load = traffic(fleet, book, new SeededRandom(settings.seed), settings.rate, loadEnds);
    await Promise.all([load, faults.run()]);
    const endedAt = Date.now();
    say("The load is over; waiting for the spools");
    await uploadAll(stage);
    await watch.look();
    watching.abort();
    await watched;
    say("The proxies stop; waiting for ingest");
    const settlement = await settle(stage);
    await stage.stopLambda();
    say("Reading objects and rows");
    const [objects, rows] = [await readObjects(stage), await readRows(stage)];
    say("Reconciling");
    const reconciled = await reconcileAll(stage, windowOf(objects, startedAt));
    await stage.stop();
    return {
      settings,
      startedAt,
      endedAt,
      book,
      lives: fleet.lives,
      journal: faults.journal,
      watch,
      objects,
      rows,
      reconciled,
      settlement,
      leftOverProcesses: await stage.leftOver(),
    };
  } finally {
    await stage.stop();
  }
}

/** From the first to the last that any clock said: some were stepped by hours. */
function windowOf(objects: AuditedRequest[], startedAt: number): { from: number; to: number } {
  const window = { from: startedAt, to: Date.now() };
  for (const { receivedAt } of objects) {
    window.from = Math.min(window.from, receivedAt);
    window.to = Math.max(window.to, receivedAt);
  }
  return { from: window.from - MARGIN_MS, to: window.to + MARGIN_MS };
}

async function watchOver(
  stage: Stage,
  watch: ProxyWatch,
  stop: AbortSignal,
  tell: () => Promise<void>,
): Promise<void> {
  while (!stop.aborted) {
    await Promise.all([watch.look(), stage.look()]);
    await tell();
    await delay(LOOK_EVERY_MS, undefined, { signal: stop }).catch(() => {});
  }
}
