/** Whether the trail proves that nothing is missing from a window: said under every list, and where a list is empty. */
import { useApi } from "../api-query.ts";
import { Badge } from "../control/state.tsx";
import * as Format from "../format.ts";
import type { Range } from "../time-range.ts";

const WORDS = { complete: "Proven complete", incomplete: "Not complete", unknown: "Not proven yet" } as const;
const TONES = { complete: "good", incomplete: "bad", unknown: "plain" } as const;

export function WindowVerdict({ range, long }: { range: Range; long?: boolean }) {
  const { data, error } = useApi("completeness", { query: range }, { keep: true, staleTime: 60_000 });
  if (error)
    return <span className="muted">Completeness of this window could not be read: {error.message}</span>;
  if (!data) return <span className="muted">Checking whether this window is complete …</span>;
  const words = data.state === "incomplete" ? `${Format.count(data.missing)} missing` : WORDS[data.state];
  return (
    <span className="verdict">
      <Badge tone={TONES[data.state]} title={data.explanation}>
        {words}
      </Badge>{" "}
      {long ? data.explanation : <span className="visually-hidden">{data.explanation}</span>}
    </span>
  );
}
