/** A process's output: all of it to its file, what needs a person's eye to the terminal too. */
import { createWriteStream, existsSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";

const ROTATE_BYTES = 20 * 1024 * 1024;
/** pino's number for `warn`. */
const WARN = 40;
const SERIOUS = new Set(["warn", "error", "fatal", "critical"]);

export interface ProcessLog {
  line(text: string, fromStderr: boolean): void;
  close(): Promise<void>;
}

/** The parsed line, when it is a JSON log line. */
export function parseLogLine(text: string): Record<string, unknown> | null {
  if (!text.startsWith("{")) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isSerious(text: string, fromStderr: boolean): boolean {
  const log = parseLogLine(text);
  if (!log) return fromStderr && text.trim() !== "";
  const { level } = log;
  return typeof level === "number" ? level >= WARN : SERIOUS.has(String(level).toLowerCase());
}

/** The message with its error, short enough to read. */
function summary(text: string): string {
  const log = parseLogLine(text);
  const message = log?.msg ?? log?.message;
  if (!log || message === undefined) return text;
  const error = (log.err as { message?: string } | undefined)?.message ?? log.error ?? log.reason;
  const detail = error === undefined ? "" : `: ${typeof error === "string" ? error : JSON.stringify(error)}`;
  return `${String(message)}${detail}`;
}

/** @param terminal gets warnings and errors, prefixed with the name */
export function openLog(folder: string, name: string, terminal: (line: string) => void): ProcessLog {
  const file = join(folder, `${name}.log`);
  if (existsSync(file) && statSync(file).size > ROTATE_BYTES) renameSync(file, `${file}.1`);
  const stream = createWriteStream(file, { flags: "a" });
  stream.on("error", (error) => terminal(`[${name}] cannot write ${file}: ${error.message}`));
  return {
    line(text, fromStderr) {
      stream.write(`${text}\n`);
      if (isSerious(text, fromStderr)) terminal(`[${name}] ${summary(text)}`);
    },
    close: () => new Promise((resolve) => stream.end(resolve)),
  };
}
