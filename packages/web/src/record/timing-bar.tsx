/** Where a call's time went: until the first token (queue and prompt), and the stream after it. */
import type { Row } from "@central-llm/functions/api/contract-audit";
import * as Format from "../format.ts";

export function TimingBar({
  row,
}: {
  row: Pick<Row, "latencyMs" | "timeToFirstTokenMs" | "stream" | "completionTokens">;
}) {
  const { latencyMs, timeToFirstTokenMs, stream, completionTokens } = row;
  const first = timeToFirstTokenMs ?? latencyMs;
  const rest = Math.max(0, latencyMs - first);
  const share = latencyMs === 0 ? 100 : (first / latencyMs) * 100;
  const rate = rest > 0 && completionTokens ? completionTokens / (rest / 1000) : null;
  const parts = [
    {
      name: timeToFirstTokenMs === null ? "Until the answer" : "Queue and prompt, until the first token",
      className: "wait",
      ms: first,
    },
    ...(rest > 0 ? [{ name: stream ? "Stream" : "Rest of the answer", className: "stream", ms: rest }] : []),
  ];
  return (
    <div className="stack tight">
      <div className="timing" aria-hidden="true">
        <span className="wait" style={{ width: `${share}%` }} />
        <span className="stream" style={{ width: `${100 - share}%` }} />
      </div>
      <dl className="legend">
        {parts.map(({ name, className, ms }) => (
          <div key={name}>
            <dt className={`swatch ${className}`}>{name}</dt>
            <dd>{Format.milliseconds(ms)}</dd>
          </div>
        ))}
        <div>
          <dt>Whole</dt>
          <dd>{Format.milliseconds(latencyMs)}</dd>
        </div>
        {rate !== null && (
          <div>
            <dt>Tokens a second</dt>
            <dd>{rate.toFixed(1)}</dd>
          </div>
        )}
      </dl>
    </div>
  );
}
