/** A refusal that its caller is told of. */
import { ERROR_STATUS, type ErrorAnswer, type ErrorCode } from "./contract-error.ts";

export class Failure extends Error {
  override name = "Failure";
  readonly code: ErrorCode;
  readonly details: unknown;
  constructor(code: ErrorCode, message: string, details: unknown = null, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.details = details;
  }
  get status(): number {
    return ERROR_STATUS[this.code];
  }
  get answer(): ErrorAnswer {
    return { error: { code: this.code, message: this.message, details: this.details } };
  }
}

export const notFound = (what: string) => new Failure("not_found", `${what} was not found.`);
