/** What a row is marked with. */
import type { Row } from "@central-llm/functions/api/contract-audit";
import { Badge } from "../control/state.tsx";
import { FLAGS, OUTCOMES } from "./labels.ts";

type Flag = Row["flags"][number];

const FLAG_TONES: Record<Flag, "plain" | "warn" | "bad"> = {
  partial: "warn",
  truncated: "plain",
  identity_mismatch: "bad",
  pii: "warn",
  legacy: "plain",
};
/** Outcomes that the status alone does not tell. */
const OUTCOME_TONES: Partial<Record<Row["outcome"], "warn" | "bad">> = {
  blocked: "bad",
  interrupted: "bad",
  rate_limited: "warn",
  client_aborted: "warn",
};

type Marked = Pick<Row, "outcome" | "flags" | "stream">;

/** In words; null without any. */
export const marksOf = ({ outcome, flags, stream }: Marked): string | null =>
  [
    ...(OUTCOME_TONES[outcome] ? [OUTCOMES[outcome]] : []),
    ...flags.map((flag) => FLAGS[flag]),
    ...(stream ? ["Stream"] : []),
  ].join(", ") || null;

export function Marks({ row }: { row: Marked }) {
  const tone = OUTCOME_TONES[row.outcome];
  if (marksOf(row) === null) return null;
  return (
    <span className="badges">
      {tone && <Badge tone={tone}>{OUTCOMES[row.outcome]}</Badge>}
      {row.flags.map((flag) => (
        <Badge key={flag} tone={FLAG_TONES[flag]}>
          {FLAGS[flag]}
        </Badge>
      ))}
      {row.stream && <Badge>Stream</Badge>}
    </span>
  );
}

/** 0 stands for a status that was not recorded. */
export function Status({ code }: { code: number }) {
  const tone = code >= 500 ? "bad" : code >= 400 ? "warn" : code >= 200 && code < 300 ? "good" : "plain";
  return <Badge tone={tone}>{code === 0 ? "none" : code}</Badge>;
}
