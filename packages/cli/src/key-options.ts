/** What can be said of a key on the command line, and the field of the admin API that each is. */
import { Duration } from "@central-llm/core/virtual-key";
import { type Command, InvalidArgumentError } from "commander";

/** Clears a field; the key is then not limited by it. Commander cannot carry a null. */
const NONE = "none";
type OrNone<T> = T | typeof NONE;

const orNone =
  <T>(parse: (text: string) => T) =>
  (text: string): OrNone<T> =>
    text === NONE ? NONE : parse(text);

function whole(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("Use a whole number, or none.");
  return Number(text);
}

function usd(text: string): number {
  if (!/^\d{1,9}(\.\d{1,6})?$/.test(text))
    throw new InvalidArgumentError("Use US dollars such as 50 or 12.50, or none.");
  return Number(text);
}

export function span(text: string): string {
  if (!Duration.safeParse(text).success)
    throw new InvalidArgumentError("Use e.g. 30s, 15m, 12h, 30d or 1mo.");
  return text;
}

const list = (text: string) =>
  text
    .split(",")
    .map((one) => one.trim())
    .filter((one) => one !== "");

function object(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Said below, as for what is JSON but no object.
  }
  throw new InvalidArgumentError(`Use a JSON object such as '{"cost_center":"4711"}'.`);
}

export interface KeyFields {
  alias?: string;
  user?: string;
  team?: string;
  expires?: string;
  budget?: OrNone<number>;
  budgetPeriod?: string;
  rpm?: OrNone<number>;
  tpm?: OrNone<number>;
  parallel?: OrNone<number>;
  models?: OrNone<string[]>;
  tags?: OrNone<string[]>;
  metadata?: OrNone<object>;
}

export const withKeyFields = (command: Command): Command =>
  command
    .option("--alias <name>", "a name of its own", orNone(String))
    .option("--user <id>", "whose it is", orNone(String))
    .option("--team <id>", "which team's it is", orNone(String))
    .option("--expires <duration>", "ends after e.g. 12h, 30d or 1mo", orNone(span))
    .option("--budget <usd>", "US dollars a budget period, at most", orNone(usd))
    .option("--budget-period <duration>", "the budget starts anew after e.g. 30d or 1mo", orNone(span))
    .option("--rpm <n>", "requests a minute, at most", orNone(whole))
    .option("--tpm <n>", "tokens a minute, at most", orNone(whole))
    .option("--parallel <n>", "requests at once, at most", orNone(whole))
    .option("--models <names>", "may call only these, with commas between", orNone(list))
    .option("--tags <names>", "for reports, with commas between", orNone(list))
    .option("--metadata <json>", "an object of your own, whole", orNone(object));

/** The admin API's body; what was not said is not in it. */
export function bodyOf(fields: KeyFields): Record<string, unknown> {
  const body = {
    key_alias: fields.alias,
    user_id: fields.user,
    team_id: fields.team,
    duration: fields.expires,
    max_budget: fields.budget,
    budget_duration: fields.budgetPeriod,
    rpm_limit: fields.rpm,
    tpm_limit: fields.tpm,
    max_parallel_requests: fields.parallel,
    models: fields.models,
    tags: fields.tags,
    metadata: fields.metadata,
  };
  return Object.fromEntries(
    Object.entries(body).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value === NONE ? null : value]],
    ),
  );
}
