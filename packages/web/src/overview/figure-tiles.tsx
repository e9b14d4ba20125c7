/** The span's figures beside those of the span before. */
import type { Figures } from "@central-llm/functions/api/contract-chart";
import * as Format from "../format.ts";
import { Time } from "../zone-context.tsx";

function Change({ now, before }: { now: number | null; before: number | null }) {
  if (now === null || before === null || before === 0) return <span className="muted">nothing before</span>;
  const change = now / before - 1;
  const sign = change > 0 ? "+" : "";
  return (
    <span className="muted">
      {Math.abs(change) > 10 ? `×${(now / before).toFixed(0)}` : `${sign}${Format.share(change)}`} on before
    </span>
  );
}

export function FigureTiles({
  now,
  before,
  asOf,
}: {
  now: Figures;
  before: Figures;
  /** When the figures were last counted. */
  asOf: string | null;
}) {
  const errorShare = (figures: Figures) =>
    figures.requests === 0 ? null : figures.errors / figures.requests;
  const tokens = (figures: Figures) => figures.promptTokens + figures.completionTokens;
  const share = errorShare(now);
  const tiles = [
    { name: "Calls", value: Format.count(now.requests), now: now.requests, before: before.requests },
    {
      name: "Errors",
      value: `${Format.count(now.errors)}${share === null ? "" : ` (${Format.share(share)})`}`,
      now: share,
      before: errorShare(before),
    },
    { name: "Latency p50", value: Format.milliseconds(now.p50Ms), now: now.p50Ms, before: before.p50Ms },
    { name: "Latency p95", value: Format.milliseconds(now.p95Ms), now: now.p95Ms, before: before.p95Ms },
    { name: "Tokens", value: Format.count(tokens(now)), now: tokens(now), before: tokens(before) },
    { name: "Spend", value: Format.dollars(now.costUsd), now: now.costUsd, before: before.costUsd },
  ];
  return (
    <div>
      <dl className="tiles" aria-label="Figures">
      {tiles.map(({ name, value, now, before }) => (
        <div key={name} className="panel">
          <dt>{name}</dt>
          <dd>
            <strong>{value}</strong>
            <Change now={now} before={before} />
          </dd>
        </div>
      ))}
      </dl>
      <p className="muted as-of">
        Calls of models, counted until <Time iso={asOf} />; beside each figure, its change on the span of the same
        length before.
      </p>
    </div>
  );
}
