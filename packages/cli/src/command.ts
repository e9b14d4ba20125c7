/** What every command does around its own work: settings, clients, and errors in words. */
import { CursorError } from "@central-llm/core/audit-cursor";
import type { Command } from "commander";
import { z } from "zod";
import { type Connection, close, connect } from "./connection.ts";
import { advice, EXIT, Failure } from "./failure.ts";
import { settings } from "./settings.ts";

/** Wraps the last-but-one argument that commander passes: the options. Arguments before it go through. */
export function withConnection<A extends unknown[]>(
  work: (connection: Connection, ...given: A) => Promise<void>,
) {
  return async (...given: unknown[]): Promise<void> => {
    const command = given.pop() as Command;
    const options = command.optsWithGlobals<{ aws?: boolean }>();
    const connection = connect(settings(process.env, process.cwd(), options));
    try {
      await work(connection, ...(given as A));
    } catch (error) {
      throw inWords(error, connection.target);
    } finally {
      close(connection);
    }
  };
}

function inWords(error: unknown, target: string): unknown {
  if (error instanceof Failure) return error;
  if (error instanceof CursorError) return new Failure(EXIT.usage, error.message, { cause: error });
  if (error instanceof z.ZodError) {
    return new Failure(EXIT.usage, error.issues.map(({ message }) => message).join("; "), { cause: error });
  }
  const help = advice(error, target);
  return help === null ? error : new Failure(EXIT.failed, help, { cause: error });
}
