/** How virtual keys are shown. */
import { count, dollars, type Field, moment, plain, type Row } from "./report-output.ts";

const SHORT_HASH = 12;

function state(_: unknown, { blocked, expires }: Row): string {
  if (blocked === true) return "blocked";
  return typeof expires === "string" && Date.parse(expires) <= Date.now() ? "expired" : "active";
}

const limits: Field[] = [
  { name: "rpm_limit", title: "RPM", text: count, align: "right" },
  { name: "tpm_limit", title: "TPM", text: count, align: "right" },
  { name: "spend", title: "SPENT USD", text: dollars, align: "right" },
  { name: "max_budget", title: "BUDGET USD", text: dollars, align: "right" },
];

/** A line of the list. `token` is the hash, by which every command takes the key. */
export const LISTED: Field[] = [
  { name: "token", title: "HASH", text: (value) => plain(value).slice(0, SHORT_HASH) },
  { name: "key_name", title: "KEY" },
  { name: "key_alias", title: "ALIAS" },
  { name: "user_id", title: "USER" },
  { name: "team_id", title: "TEAM" },
  { name: "blocked", title: "STATE", text: state },
  ...limits,
  { name: "expires", title: "EXPIRES (UTC)", text: moment },
];

/** All that is worth a line of its own. */
export const SHOWN: Field[] = [
  { name: "token", title: "hash" },
  { name: "key_name", title: "key name" },
  { name: "key_alias", title: "alias" },
  { name: "user_id", title: "user" },
  { name: "team_id", title: "team" },
  { name: "blocked", title: "state", text: state },
  {
    name: "models",
    title: "models",
    text: (value) => (Array.isArray(value) && value.length ? value.join(", ") : "all"),
  },
  { name: "rpm_limit", title: "requests/minute", text: count },
  { name: "tpm_limit", title: "tokens/minute", text: count },
  { name: "max_parallel_requests", title: "at once", text: count },
  { name: "spend", title: "spent usd", text: dollars },
  { name: "max_budget", title: "budget usd", text: dollars },
  { name: "budget_duration", title: "budget period" },
  { name: "budget_reset_at", title: "budget anew", text: moment },
  { name: "expires", title: "expires", text: moment },
  { name: "created_at", title: "created", text: moment },
  { name: "created_by", title: "created by" },
  { name: "rotation_count", title: "rotated", text: (value) => (value ? `${value} times` : "") },
  {
    name: "metadata",
    title: "metadata",
    text: (value) => (value && Object.keys(value).length > 0 ? plain(value) : ""),
  },
];
