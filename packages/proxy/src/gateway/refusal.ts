/** What a translator throws when a request cannot become a call of the provider's. It ends as a 400 at the door. */
import type { ApiError } from "@central-llm/core/api-error";
import type { z } from "zod";

export class Refusal extends Error {
  readonly error: ApiError;

  constructor(error: ApiError) {
    super(error.message);
    this.name = "Refusal";
    this.error = error;
  }
}

/** The request itself is wrong. @param param where, as OpenAI writes it: `messages[2].content[0]` */
export function invalid(param: string | null, message: string, code: string | null = null): Refusal {
  return new Refusal({ status: 400, type: "invalid_request_error", code, message, param });
}

/** The request is right, but Bedrock or the model cannot honour a part of it. */
export function unsupported(param: string, why: string): Refusal {
  return invalid(param, `Unsupported parameter: '${param}'. ${why}`, "unsupported_parameter");
}

/** The first fault that zod found, by its place. */
export function malformed(error: z.ZodError): Refusal {
  let issue = error.issues[0];
  let path = issue?.path ?? [];
  // A union reports every branch: the one that got furthest is the one that was meant.
  while (issue?.code === "invalid_union" && issue.errors.length > 0) {
    const branches = issue.errors.map((branch) => branch[0]).filter((branch) => branch !== undefined);
    const deepest = branches.sort((a, b) => b.path.length - a.path.length)[0];
    if (deepest === undefined) break;
    path = [...path, ...deepest.path];
    issue = deepest;
  }
  const param = writePath(path);
  return invalid(param || null, param ? `Invalid '${param}': ${issue?.message}` : `${issue?.message}`);
}

function writePath(path: PropertyKey[]): string {
  return path
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`))
    .join("")
    .slice(typeof path[0] === "number" ? 0 : 1);
}
