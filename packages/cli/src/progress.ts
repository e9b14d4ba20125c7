/** A line on stderr that says how far it is, when somebody is watching. */
import { SingleBar } from "cli-progress";

/** @param format cli-progress's, with `{value}`, `{total}` and the payload's names */
export function progress(format: string, payload: object, total = 0) {
  const bar = new SingleBar({
    format,
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
    noTTYOutput: false,
  });
  if (process.stderr.isTTY) bar.start(total, 0, payload);
  return {
    update: (value: number, now: object = {}) => bar.update(value, now),
    stop: () => bar.stop(),
  };
}
