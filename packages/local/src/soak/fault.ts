/** Something that goes wrong under the soak. */
import type { RequestBook } from "./request-book.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { Stage } from "./stage.ts";

export interface FaultContext {
  stage: Stage;
  book: RequestBook;
  random: SeededRandom;
  /** Waits so long, shorter in a short soak, no longer than the soak goes on. */
  lasting(seconds: number): Promise<void>;
}

export interface Fault {
  name: string;
  /** Not beside another such fault: a record that waits for a full disk is in memory alone, and a kill would take it. */
  alone?: boolean;
  /** Shows its effect only in longer soaks: it takes time-outs of tens of seconds. */
  long?: boolean;
  /** Puts back in order what it broke. @returns what happened, for the journal; null when it is not possible here */
  run(context: FaultContext): Promise<string | null>;
}
