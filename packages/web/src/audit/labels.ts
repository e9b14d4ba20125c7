/** The contract's values in words. Records over the contract's own types: a value more or less does not compile. */
import type { Row } from "@central-llm/functions/api/contract-audit";

type Outcome = Row["outcome"];
type Profile = NonNullable<Row["profile"]>;
type Flag = Row["flags"][number];

export const OUTCOMES: Record<Outcome, string> = {
  completed: "Completed",
  client_error: "Client error",
  blocked: "Blocked",
  rate_limited: "Rate limited",
  upstream_error: "Model error",
  client_aborted: "Aborted by client",
  interrupted: "Interrupted",
};

export const PROFILES: Record<Profile, string> = {
  central: "Central",
  gateway: "Gateway",
  console: "Console (access)",
};

export const FLAGS: Record<Flag, string> = {
  partial: "Partial answer",
  truncated: "Body cut",
  identity_mismatch: "Identity mismatch",
  pii: "PII found",
  legacy: "Older format",
};

/** Keys of a record of labels, with their type. */
export const keysOf = <K extends string>(labels: Record<K, unknown>) => Object.keys(labels) as [K, ...K[]];
