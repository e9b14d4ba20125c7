/** `central-llm verify`: was anything changed since it was digested? */
import { existsSync, readFileSync } from "node:fs";
import { GetPublicKeyCommand, KMSClient } from "@aws-sdk/client-kms";
import { publicKeyPem, type TrustedKeys, trustedKeys } from "@central-llm/core/digest-envelope";
import { FINDINGS, type FindingKind } from "@central-llm/core/finding";
import { trailStore } from "@central-llm/core/trail-store";
import { type Verification, type VerifyOptions, verify } from "@central-llm/core/verification";
import { Command, Option } from "commander";
import * as Argument from "./argument.ts";
import { withConnection } from "./command.ts";
import { type Connection, clientConfig } from "./connection.ts";
import { EXIT, Failure } from "./failure.ts";
import { offlineTrail } from "./offline-trail.ts";
import * as Output from "./output.ts";
import { progress } from "./progress.ts";

interface Options {
  from?: string;
  to?: string;
  offline?: string;
  publicKey?: string[];
  format: "text" | "json";
}

export function verifyCommand(): Command {
  return new Command("verify")
    .summary("prove that nobody changed the trail")
    .description(
      "Checks the signed hourly digests and their chain, reads every object that they name, and follows each writer's chain. " +
        "Names what was changed, deleted, added or reordered since. A window vouches for what was stored in it.",
    )
    .option("--from <time>", "begin (default: 25h)", (text) => Argument.instant(text))
    .option("--to <time>", "end, not included (default: now)", (text) => Argument.instant(text))
    .option("--offline <folder>", "a copy of the whole bucket, without any service; needs --public-key")
    .option(
      "--public-key <file>",
      "PEM of a key to trust in place of KMS's; may be repeated, after a change of keys",
      (file: string, others: string[] = []) => [...others, file],
    )
    .addOption(new Option("-f, --format <format>", "output").choices(["text", "json"]).default("text"))
    .addHelpText(
      "after",
      `
Exit codes: 0 everything is as it was signed, 4 something is not, or cannot be proved.

Examples:
  central-llm verify
  central-llm verify --from 2026-11-01 --to 2026-12-01
  aws s3 sync s3://central-llm-audit copy && central-llm verify --offline copy --public-key digest-key.pem

The public key lies beside the digests (digests/keys/) and in KMS. Note its fingerprint when the platform is new: a copy
that brings its own key proves nothing.
`,
    )
    .action(withConnection(run));
}

async function run(connection: Connection, options: Options): Promise<void> {
  if (options.offline !== undefined && (options.from ?? options.to) !== undefined)
    throw new Failure(EXIT.usage, "--offline verifies the whole copy: leave out --from and --to.");
  if (options.offline !== undefined && !existsSync(options.offline))
    throw new Failure(EXIT.usage, `There is no folder ${options.offline}.`);
  const now = Date.now();
  const window =
    options.offline === undefined
      ? {
          from: Date.parse(options.from ?? Argument.instant("25h", now)),
          to: Date.parse(options.to ?? new Date(now).toISOString()),
        }
      : { from: 0, to: now + YEAR_MS };
  if (window.from >= window.to) throw new Failure(EXIT.usage, "--from must be before --to.");
  const trusted = await keys(connection, options);
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  const bar = progress("{value} objects as they were, {findings} findings", { findings: 0 });
  const settings: VerifyOptions = {
    trusted,
    prefix: connection.settings.AUDIT_PREFIX,
    window,
    now: options.offline === undefined ? now : null,
    signal: stop.signal,
    onProgress: ({ objects, findings }) => bar.update(objects, { findings }),
  };
  const reader =
    options.offline === undefined
      ? trailStore(connection.s3, connection.settings.AUDIT_BUCKET)
      : offlineTrail(options.offline);
  let result: Verification;
  try {
    result = await verify(reader, settings);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    throw new Failure(EXIT.failed, "Cut off before the end: nothing is proved.");
  } finally {
    bar.stop();
  }
  const proved = { proved: isProved(result), keys: [...trusted.keys()], ...result };
  process.stdout.write(options.format === "json" ? `${Output.json(proved, 2)}\n` : text(result, trusted));
  if (!proved.proved) process.exitCode = EXIT.incomplete;
}

/** A copy's digests may be from a machine whose clock was ahead. */
const YEAR_MS = 366 * 86_400_000;

async function keys(connection: Connection, { publicKey = [], offline }: Options): Promise<TrustedKeys> {
  if (publicKey.length > 0) {
    try {
      return trustedKeys(publicKey.map((file) => readFileSync(file, "utf8")));
    } catch (error) {
      throw new Failure(EXIT.usage, `${publicKey.join(", ")}: no public key (${(error as Error).message})`);
    }
  }
  if (offline !== undefined)
    throw new Failure(EXIT.usage, "--offline needs --public-key: whom do you trust?");
  const { settings } = connection;
  const kms = new KMSClient(clientConfig(settings));
  try {
    const { PublicKey } = await kms.send(new GetPublicKeyCommand({ KeyId: settings.DIGEST_KEY_ID }));
    return trustedKeys(PublicKey ? [publicKeyPem(PublicKey)] : []);
  } catch (error) {
    if ((error as Error).name !== "NotFoundException") throw error;
    throw new Failure(
      EXIT.usage,
      `KMS has no key ${settings.DIGEST_KEY_ID}: set DIGEST_KEY_ID, or give --public-key.`,
    );
  } finally {
    kms.destroy();
  }
}

const isProved = ({ untouched, unproven, digests, objects }: Verification) =>
  untouched && unproven === 0 && (digests > 0 || objects === 0);

const SHOWN = 100;

function text(result: Verification, trusted: TrustedKeys): string {
  const { from, to, digests, objects, waiting, unproven, findings, counts } = result;
  const lines = [
    `${from} to ${to}: ${isProved(result) ? "untouched" : "NOT as it was signed"}`,
    `${digests} digests signed with ${[...trusted.keys()].map((key) => key.slice(0, 16)).join(", ")}…`,
    `${objects} objects are as they were digested`,
  ];
  if (waiting > 0) lines.push(`${waiting} objects wait for their hour's digest`);
  if (unproven > 0)
    lines.push(`${unproven} objects belong to digests that are missing or cannot be believed`);
  for (const [kind, title] of Object.entries(FINDINGS)) {
    const count = counts[kind as FindingKind] ?? 0;
    if (count === 0) continue;
    const listed = findings.filter((finding) => finding.kind === kind).slice(0, SHOWN);
    lines.push("", `${title} (${count}):`);
    for (const { name, detail } of listed)
      lines.push(`  ${Output.printable(name)}: ${Output.printable(detail)}`);
    if (count > listed.length) lines.push(`  … and ${count - listed.length} more`);
  }
  return `${lines.join("\n")}\n`;
}
