/** The gateway's admin API (LiteLLM's), called with the master key. */
import { hashKey, isHash } from "@central-llm/core/virtual-key";
import type { Command } from "commander";
import { advice, EXIT, Failure } from "./failure.ts";
import { settings } from "./settings.ts";

const TIMEOUT_MS = 30_000;

export interface GatewayAdmin {
  url: string;
  get<Answer>(path: string, query?: Record<string, string | undefined>): Promise<Answer>;
  post<Answer>(path: string, body: object): Promise<Answer>;
}

/**
 * GATEWAY_URL and LITELLM_MASTER_KEY of the environment, both or neither, else those of `.local/env`: a key never goes to
 * an address that another source names.
 * @throws {Failure} when there are none, or the key would cross a network in clear
 */
export function connectGateway(
  env: Record<string, string | undefined>,
  cwd: string,
  options: { aws?: boolean } = {},
): GatewayAdmin {
  // What names the audit trail says nothing of the gateway, and the other way round.
  const own = { GATEWAY_URL: env.GATEWAY_URL, LITELLM_MASTER_KEY: env.LITELLM_MASTER_KEY };
  const fromEnvironment = own.GATEWAY_URL !== undefined || options.aws === true;
  const found = settings(fromEnvironment ? own : {}, cwd, { aws: fromEnvironment });
  const { GATEWAY_URL, LITELLM_MASTER_KEY } = found;
  const missing = Object.entries({ GATEWAY_URL, LITELLM_MASTER_KEY }).flatMap(([name, value]) =>
    value === undefined ? [name] : [],
  );
  if (GATEWAY_URL === undefined || LITELLM_MASTER_KEY === undefined) {
    const where = `in ${found.source}`;
    throw new Failure(
      EXIT.usage,
      `${missing.join(" and ")} missing ${where}. Set both, or start the local platform with \`npm start\`.`,
    );
  }
  const base = new URL(GATEWAY_URL);
  if (base.protocol !== "https:" && !isLoopback(base.hostname)) {
    throw new Failure(
      EXIT.usage,
      `${base.origin} is not https: the master key would cross the network in clear.`,
    );
  }
  const call = async <Answer>(method: string, path: string, body?: object): Promise<Answer> => {
    const response = await fetch(new URL(path, base), {
      method,
      redirect: "error",
      headers: { authorization: `Bearer ${LITELLM_MASTER_KEY}`, "content-type": "application/json" },
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).catch((error: unknown) => {
      throw unreachable(error, base.origin);
    });
    const text = await response.text();
    if (!response.ok) throw refused(response.status, text, base.origin);
    return parsed(text, base.origin) as Answer;
  };
  return {
    url: base.origin,
    get(path, query = {}) {
      const given = Object.entries(query).filter(
        (entry): entry is [string, string] => entry[1] !== undefined,
      );
      return call("GET", given.length ? `${path}?${new URLSearchParams(given)}` : path);
    },
    post: (path, body) => call("POST", path, body),
  };
}

const isLoopback = (host: string) => host === "localhost" || host === "[::1]" || /^127\./.test(host);

function unreachable(error: unknown, target: string): Failure {
  const cause = (error as { cause?: unknown }).cause ?? error;
  const { name = "", message = String(cause) } = cause as { name?: string; message?: string };
  const words =
    name === "TimeoutError"
      ? `The gateway at ${target} did not answer within ${TIMEOUT_MS / 1000} s.`
      : (advice(cause, target)?.replace("AWS_ENDPOINT_URL", "GATEWAY_URL") ??
        `The gateway at ${target}: ${message}`);
  return new Failure(EXIT.failed, words, { cause: error });
}

/** LiteLLM's errors are `{error: {message}}`, and FastAPI's `{detail: [{loc, msg}]}` for what a body or query may not say. */
function refused(status: number, text: string, target: string): Failure {
  if (status === 401 || status === 403) {
    return new Failure(
      EXIT.failed,
      `The gateway at ${target} does not accept this LITELLM_MASTER_KEY (${status}).`,
    );
  }
  const words = messageOf(text) ?? `it answered ${status}`;
  const exit = status === 404 ? EXIT.notFound : status < 500 ? EXIT.usage : EXIT.failed;
  return new Failure(exit, `The gateway at ${target}: ${words}`);
}

function messageOf(text: string): string | null {
  let body: { error?: { message?: unknown }; detail?: unknown };
  try {
    body = JSON.parse(text);
  } catch {
    return null; // Not the gateway's own answer; its status says enough.
  }
  if (typeof body?.error?.message === "string") return body.error.message;
  if (typeof body?.detail === "string") return body.detail;
  if (!Array.isArray(body?.detail)) return null;
  return body.detail
    .map(({ loc = [], msg }: { loc?: unknown[]; msg?: unknown }) => `${loc.slice(1).join(".")}: ${msg}`)
    .join("; ");
}

function parsed(text: string, target: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Failure(EXIT.failed, `${target} answers no JSON: is GATEWAY_URL the gateway?`, {
      cause: error,
    });
  }
}

/** Wraps a command's work. Arguments before commander's options go through. */
export function withGateway<A extends unknown[]>(
  work: (gateway: GatewayAdmin, ...given: A) => Promise<void>,
) {
  return async (...given: unknown[]): Promise<void> => {
    const command = given.pop() as Command;
    const gateway = connectGateway(process.env, process.cwd(), command.optsWithGlobals<{ aws?: boolean }>());
    await work(gateway, ...(given as A));
  };
}

/**
 * The hash of a key that is named by itself, its hash or its alias. A key is hashed here: it goes into no address.
 * @throws {Failure} when no key, or more than one, has the alias
 */
export async function keyHash(gateway: GatewayAdmin, named: string): Promise<string> {
  if (isHash(named)) return named;
  if (named.startsWith("sk-")) return hashKey(named);
  const { keys } = await gateway.get<{ keys: string[] }>("/key/list", { key_alias: named });
  const [only, another] = keys;
  if (only === undefined) throw new Failure(EXIT.notFound, `No key has the alias ${named}.`);
  if (another !== undefined)
    throw new Failure(EXIT.usage, `More than one key has the alias ${named}: use its hash.`);
  return only;
}
