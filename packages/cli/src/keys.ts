/** `central-llm keys`: the gateway's virtual keys. A key is shown once, when it is made. */
import { Command } from "commander";
import * as Argument from "./argument.ts";
import { EXIT, Failure } from "./failure.ts";
import { type GatewayAdmin, keyHash, withGateway } from "./gateway-admin.ts";
import * as KeyFields from "./key-fields.ts";
import * as KeyOptions from "./key-options.ts";
import * as Output from "./output.ts";
import { card, type FormatOptions, type Row, withFormat, write } from "./report-output.ts";

const NAMED = "the key, its hash (64 hex digits) or its alias";
const PAGE = 100;

const EXAMPLES = `
GATEWAY_URL and LITELLM_MASTER_KEY say which gateway, and as whom. A key is named by its alias or hash; the key itself also
serves, but stays in the shell's history.

Examples:
  central-llm keys generate --user jane --tier standard --expires 90d
  central-llm keys generate --alias ci --models claude-sonnet-4-5 --budget 20 --budget-period 30d --json | jq -r .key
  central-llm keys list --user jane
  central-llm keys update ci --rpm 50 --budget none
  central-llm keys rotate ci --grace 24h
`;

const one = (name: string, summary: string) => new Command(name).summary(summary).description(`${summary}.`);
const json = (command: Command) => command.option("--json", "the whole answer as JSON");

export function keysCommand(): Command {
  const keys = new Command("keys")
    .summary("make, show, change and take away virtual keys")
    .description("The gateway's virtual keys.")
    .addHelpText("after", EXAMPLES);
  const generated = one("generate", "make a key and show it, this once").option(
    "--tier <name>",
    "limits of this template (standard, admin …); what is said beside it wins",
  );
  const commands = [
    json(KeyOptions.withKeyFields(generated)).action(withGateway(generate)),
    withFormat(
      one("list", "list keys, newest first")
        .option("--user <id>", "of this user")
        .option("--team <id>", "of this team")
        .option("-n, --limit <keys>", "so many at most", Argument.count(100_000), 50),
    ).action(withGateway(list)),
    json(one("info", "show a key's limits, spend and state").argument("<key>", NAMED)).action(
      withGateway(info),
    ),
    json(
      KeyOptions.withKeyFields(one("update", "change what is said, leave the rest").argument("<key>", NAMED)),
    )
      .addHelpText("after", "\n`none` takes a limit, name or end away: --budget none\n")
      .action(withGateway(update)),
    json(one("block", "refuse a key until it is unblocked").argument("<key>", NAMED)).action(
      withGateway(block("/key/block", "blocked")),
    ),
    json(one("unblock", "accept a key again").argument("<key>", NAMED)).action(
      withGateway(block("/key/unblock", "unblocked")),
    ),
    json(
      one("rotate", "put a new key in a key's place and show it, this once")
        .argument("<key>", NAMED)
        .option(
          "--grace <duration>",
          "the old key works for so long still, e.g. 24h; else not at all",
          KeyOptions.span,
        ),
    ).action(withGateway(rotate)),
    json(one("delete", "take keys away for ever").argument("<keys...>", NAMED)).action(withGateway(remove)),
  ];
  for (const command of commands) keys.addCommand(command);
  return keys;
}

interface Made extends Row {
  key: string;
  token: string;
}

function show(row: Row, asJson: boolean | undefined, say: string): void {
  process.stdout.write(asJson ? `${Output.json(row, 2)}\n` : `${say}\n\n${card(row, KeyFields.SHOWN)}`);
}

async function generate(
  gateway: GatewayAdmin,
  { tier, json: asJson, ...fields }: KeyOptions.KeyFields & { tier?: string; json?: boolean },
): Promise<void> {
  const body = { ...KeyOptions.bodyOf(fields), ...(tier === undefined ? {} : { tier }) };
  const made = await gateway.post<Made>("/key/generate", body);
  show(made, asJson, `${made.key}\n\nKeep it now: it is not shown again.`);
}

async function rotate(
  gateway: GatewayAdmin,
  named: string,
  { grace, json: asJson }: { grace?: string; json?: boolean },
): Promise<void> {
  const key = await keyHash(gateway, named);
  const made = await gateway.post<Made>("/key/regenerate", {
    key,
    ...(grace === undefined ? {} : { grace_period: grace }),
  });
  const old = grace === undefined ? "The old key works no more." : `The old key works for another ${grace}.`;
  show(made, asJson, `${made.key}\n\nKeep it now: it is not shown again. ${old}`);
}

async function list(
  gateway: GatewayAdmin,
  options: FormatOptions & { user?: string; team?: string; limit: number },
): Promise<void> {
  const rows: Row[] = [];
  let total = 0;
  // Whole pages of the same size: another size would shift what page 2 begins with.
  const size = Math.min(PAGE, options.limit);
  for (let page = 1; rows.length < options.limit; page++) {
    const part = await gateway.get<{ keys: Row[]; total_count: number }>("/key/list", {
      page: String(page),
      size: String(size),
      return_full_object: "true",
      user_id: options.user,
      team_id: options.team,
    });
    rows.push(...part.keys);
    total = part.total_count;
    if (part.keys.length < size) break;
  }
  write(rows.slice(0, options.limit), KeyFields.LISTED, options, "no keys");
  if (total > options.limit) process.stderr.write(`${total} keys: --limit ${total} shows them all\n`);
}

async function info(
  gateway: GatewayAdmin,
  named: string,
  { json: asJson }: { json?: boolean },
): Promise<void> {
  const found = await gateway.get<{ key: string; info: Row }>("/key/info", {
    key: await keyHash(gateway, named),
  });
  const row = { token: found.key, ...found.info };
  process.stdout.write(asJson ? `${Output.json(row, 2)}\n` : card(row, KeyFields.SHOWN));
}

async function update(
  gateway: GatewayAdmin,
  named: string,
  { json: asJson, ...fields }: KeyOptions.KeyFields & { json?: boolean },
): Promise<void> {
  const body = KeyOptions.bodyOf(fields);
  if (Object.keys(body).length === 0) throw new Failure(EXIT.usage, "Say what to change, e.g. --rpm 50.");
  const key = await keyHash(gateway, named);
  await gateway.post("/key/update", { key, ...body });
  await info(gateway, key, { ...(asJson && { json: asJson }) });
}

const block =
  (path: string, done: string) =>
  async (gateway: GatewayAdmin, named: string, { json: asJson }: { json?: boolean }): Promise<void> => {
    const row = await gateway.post<Row>(path, { key: await keyHash(gateway, named) });
    process.stdout.write(asJson ? `${Output.json(row, 2)}\n` : `${done} ${row.key_name}\n`);
  };

async function remove(
  gateway: GatewayAdmin,
  named: string[],
  { json: asJson }: { json?: boolean },
): Promise<void> {
  const keys: string[] = [];
  // All are found before any is taken away.
  for (const key of named) keys.push(await keyHash(gateway, key));
  const { deleted_keys: deleted } = await gateway.post<{ deleted_keys: string[] }>("/key/delete", { keys });
  process.stdout.write(
    asJson
      ? `${Output.json({ deleted_keys: deleted }, 2)}\n`
      : deleted.map((key) => `deleted ${key}\n`).join(""),
  );
  const kept = [...new Set(keys)].filter((key) => !deleted.includes(key));
  if (kept.length > 0) throw new Failure(EXIT.notFound, `There is no such key: ${kept.join(", ")}`);
}
