/**
 * Where a call's time went: until it was sent to the model, until the first token, and the stream after it. Records of earlier
 * writers do not say when they sent it: their first two are one.
 */
import type { Row } from "@central-llm/functions/api/contract-audit";
import * as Format from "../format.ts";

interface Part {
  name: string;
  className: "queue" | "wait" | "stream";
  ms: number;
}

interface Timed extends Pick<Row, "latencyMs" | "timeToFirstTokenMs" | "stream" | "completionTokens"> {
  /** Null where it is not known, and where no model was sent the call. */
  queueTimeMs: number | null;
}

function partsOf({ latencyMs, timeToFirstTokenMs, queueTimeMs, stream }: Timed): Part[] {
  const first = Math.min(timeToFirstTokenMs ?? latencyMs, latencyMs);
  const sent = Math.min(queueTimeMs ?? 0, first);
  const untilFirst =
    queueTimeMs === null ? "Queue and prompt, until the first token" : "Until the first token";
  const parts: Part[] = [
    {
      name: timeToFirstTokenMs === null ? "Until the answer" : untilFirst,
      className: "wait",
      ms: first - sent,
    },
  ];
  if (queueTimeMs !== null)
    parts.unshift({ name: "Queue (until sent to the model)", className: "queue", ms: queueTimeMs });
  if (latencyMs > first)
    parts.push({
      name: stream ? "Stream" : "Rest of the answer",
      className: "stream",
      ms: latencyMs - first,
    });
  return parts;
}

export function TimingBar({ call }: { call: Timed }) {
  const { latencyMs, completionTokens } = call;
  const parts = partsOf(call);
  const rest = parts.find(({ className }) => className === "stream")?.ms ?? 0;
  const rate = rest > 0 && completionTokens ? completionTokens / (rest / 1000) : null;
  return (
    <div className="stack tight">
      <div className="timing" aria-hidden="true">
        {parts.map(({ className, ms }) => (
          <span
            key={className}
            className={className}
            style={{ width: `${latencyMs === 0 ? 100 / parts.length : (ms / latencyMs) * 100}%` }}
          />
        ))}
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
