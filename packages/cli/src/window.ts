/** The options of commands that hold a settled window of the trail against something else. */
import type { Command } from "commander";
import * as Argument from "./argument.ts";
import { EXIT, Failure } from "./failure.ts";

export interface Window {
  /** ISO 8601, UTC. */
  from: string;
  /** Not included. */
  to: string;
}

/** By default what is over for a quarter of an hour, of a day and an hour: an hourly run overlaps the one before. */
export function withWindow(command: Command): Command {
  return command
    .option(
      "--from <time>",
      "begin, e.g. 24h or 2026-11-21",
      (text) => Argument.instant(text),
      Argument.instant("25h"),
    )
    .option("--to <time>", "end, not included", (text) => Argument.instant(text), Argument.instant("15m"));
}

/** @throws {Failure} when it has no length */
export function refuseEmpty({ from, to }: Window): void {
  if (from >= to) throw new Failure(EXIT.usage, "--from must be before --to.");
}
