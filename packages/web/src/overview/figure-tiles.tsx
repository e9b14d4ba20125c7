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
  const tile = (
    name: string,
    of: (figures: Figures) => number | null,
    show: (value: number | null) => string,
  ) => ({
    name,
    value: show(of(now)),
    now: of(now),
    before: of(before),
  });
  const tiles = [
    tile("Calls", ({ requests }) => requests, Format.count),
    {
      name: "Errors",
      value: `${Format.count(now.errors)}${share === null ? "" : ` (${Format.share(share)})`}`,
      now: share,
      before: errorShare(before),
    },
    tile("Latency p50", ({ p50Ms }) => p50Ms, Format.milliseconds),
    tile("Latency p95", ({ p95Ms }) => p95Ms, Format.milliseconds),
    tile("Tokens", tokens, Format.count),
    tile("Spend", ({ costUsd }) => costUsd, Format.dollars),
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
        Calls of models, counted until <Time iso={asOf} />; beside each figure, its change on the span of the
        same length before.
      </p>
    </div>
  );
}
