/** `central-llm spend`: what was spent through the gateway. The four reports of seed 004 §8.4, and totals. */
import { Command } from "commander";
import * as Argument from "./argument.ts";
import { EXIT, Failure } from "./failure.ts";
import { type GatewayAdmin, withGateway } from "./gateway-admin.ts";
import * as Output from "./output.ts";
import {
  count,
  dollars,
  type Field,
  type FormatOptions,
  moment,
  plain,
  type Row,
  withFormat,
  write,
} from "./report-output.ts";
import { spendReconcileCommand } from "./spend-reconcile.ts";

const EXAMPLES = `
GATEWAY_URL and LITELLM_MASTER_KEY say which gateway, and as whom. Days are UTC days; requests count on the day they began.

Examples:
  central-llm spend users
  central-llm spend budgets --json
  central-llm spend reconcile --from 7d
  central-llm spend totals --by team,day --from 2026-11-01 --to 2026-11-30 --format csv > november.csv
`;

const number = (name: string, title: string): Field => ({ name, title, text: count, align: "right" });
const USD: Field = { name: "spend", title: "USD", text: dollars, align: "right" };
const REQUESTS = number("requests", "REQUESTS");
const TOKENS = number("total_tokens", "TOKENS");
const USER: Field = { name: "user", title: "USER", text: (value) => plain(value) || "(none)" };

const GROUPS = ["key", "user", "team", "customer", "model", "provider", "day"] as const;

interface Report {
  name: string;
  summary: string;
  path: string;
  fields: Field[];
}

const REPORTS: Report[] = [
  {
    name: "users",
    summary: "total spend by user, last 30 days",
    path: "/spend/report/users",
    fields: [USER, USD, REQUESTS, TOKENS],
  },
  {
    name: "models",
    summary: "requests and tokens by model, last 7 days",
    path: "/spend/report/models",
    fields: [
      { name: "model", title: "MODEL" },
      REQUESTS,
      number("prompt_tokens", "PROMPT TOKENS"),
      number("completion_tokens", "ANSWER TOKENS"),
      TOKENS,
    ],
  },
  {
    name: "budgets",
    summary: "keys that have used more than 80 % of their budget",
    path: "/spend/report/budgets",
    fields: [
      { name: "key", title: "HASH", text: (value) => plain(value).slice(0, 12) },
      { name: "key_name", title: "KEY" },
      { name: "key_alias", title: "ALIAS" },
      USER,
      { name: "team", title: "TEAM" },
      { ...USD, title: "SPENT USD" },
      { name: "max_budget", title: "BUDGET USD", text: dollars, align: "right" },
      {
        name: "used",
        title: "USED",
        text: (value) => `${(Number(value) * 100).toFixed(1)} %`,
        align: "right",
      },
      { name: "budget_reset_at", title: "ANEW (UTC)", text: moment },
    ],
  },
];

export function spendCommand(): Command {
  const spend = new Command("spend")
    .summary("show what was spent through the gateway")
    .description("Reports of spend, requests and tokens.")
    .addHelpText("after", EXAMPLES);
  for (const { name, summary, path, fields } of REPORTS) {
    const report = async (gateway: GatewayAdmin, options: FormatOptions) =>
      write(await gateway.get<Row[]>(path), fields, options, "nothing");
    spend.addCommand(
      withFormat(new Command(name).summary(summary).description(`Shows ${summary}.`)).action(
        withGateway(report),
      ),
    );
  }
  const summary = "users who were active in the last 24 hours";
  spend.addCommand(
    withFormat(new Command("active").summary(summary).description(`Shows ${summary}.`)).action(
      withGateway(active),
    ),
  );
  spend.addCommand(
    withFormat(
      new Command("totals")
        .summary("add up by key, user, team, customer, model, provider and day")
        .description("Adds up spend, requests and tokens of whole UTC days.")
        .option("--by <groups>", `${GROUPS.join(", ")}, with commas between`, groups, "user")
        .option("--from <day>", "first day: 2026-11-01, or how long ago: 7d", day, day("29d"))
        .option("--to <day>", "last day, included", day, day("now")),
    ).action(withGateway(totals)),
  );
  return spend.addCommand(spendReconcileCommand());
}

const day = (text: string) => Argument.instant(text).slice(0, "2026-11-21".length);

function groups(text: string): string {
  const named = text.split(",").map((one) => one.trim());
  const wrong = named.find((one) => !(GROUPS as readonly string[]).includes(one));
  if (wrong !== undefined) {
    throw new Failure(EXIT.usage, `Cannot add up by '${wrong}': use ${GROUPS.join(", ")}.`);
  }
  return [...new Set(named)].join(",");
}

async function active(gateway: GatewayAdmin, options: FormatOptions): Promise<void> {
  const report = await gateway.get<{ active_users: number; users: Row[] }>("/spend/report/active-users");
  if (options.json || options.format === "json")
    return void process.stdout.write(`${Output.json(report, 2)}\n`);
  write(report.users, [USER, REQUESTS, TOKENS, USD], options, "no active users");
  if (options.format === "table") process.stdout.write(`\n${count(report.active_users)} active users\n`);
}

interface TotalsOptions extends FormatOptions {
  by: string;
  from: string;
  to: string;
}

async function totals(gateway: GatewayAdmin, { by, from, to, ...options }: TotalsOptions): Promise<void> {
  if (from > to) throw new Failure(EXIT.usage, `--from ${from} is after --to ${to}.`);
  const rows = await gateway.get<Row[]>("/spend/report", { group_by: by, start_date: from, end_date: to });
  const fields = [
    ...by.split(",").map((name) => ({ name, title: name.toUpperCase() })),
    REQUESTS,
    number("failed_requests", "FAILED"),
    number("prompt_tokens", "PROMPT TOKENS"),
    number("completion_tokens", "ANSWER TOKENS"),
    TOKENS,
    USD,
  ];
  write(rows, fields, options, `nothing from ${from} to ${to}`);
}
