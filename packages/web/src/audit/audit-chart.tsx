/** Volume, errors and latency of what is looked for; dragging over it makes that the range. */
import { lazy, Suspense, useState } from "react";
import { useApi } from "../api-query.ts";
import { Toggle } from "../control/button.tsx";
import { Failed } from "../control/state.tsx";
import * as Format from "../format.ts";
import * as TimeZone from "../time-zone.ts";
import { useZone } from "../zone-context.tsx";
import { filterOf } from "./audit-search.ts";
import type { AuditState } from "./use-audit.ts";

const TrafficChart = lazy(() => import("../chart/traffic-chart.tsx"));
const FiguresTable = lazy(() => import("../chart/figures-table.tsx"));

/** Filters that rollups do not know. */
const NOT_CHARTED = ["flag", "stream", "minLatencyMs", "maxLatencyMs", "text"] as const;
const NAMES: Record<string, string> = {
  flag: "mark",
  stream: "stream",
  minLatencyMs: "latency",
  maxLatencyMs: "latency",
  text: "text",
  requestType: "request type",
};

export function AuditChart({ audit }: { audit: AuditState }) {
  const { search, range, look } = audit;
  const zone = useZone();
  const [asTable, setAsTable] = useState(false);
  const filter = filterOf(search);
  for (const name of NOT_CHARTED) delete filter[name];
  const { data, error, refetch, isPlaceholderData } = useApi(
    "series",
    { query: { ...filter, ...range } },
    { keep: true, staleTime: 60_000 },
  );
  const ignored = [...NOT_CHARTED.filter((name) => search[name] !== undefined), ...(data?.ignored ?? [])];
  const names = [...new Set(ignored.map((name) => NAMES[name] ?? name))];
  const total = data?.total;
  return (
    <section className="panel" aria-label="Traffic">
      <div className="chart-head">
        <dl className="legend">
          <div>
            <dt className="swatch requests">Calls</dt>
            <dd>{total ? Format.count(total.requests) : Format.NOTHING}</dd>
          </div>
          <div>
            <dt className="swatch errors">Errors</dt>
            <dd>{total ? Format.count(total.errors) : Format.NOTHING}</dd>
          </div>
          <div>
            <dt className="swatch latency">p95</dt>
            <dd>{total ? Format.milliseconds(total.p95Ms) : Format.NOTHING}</dd>
          </div>
          <div>
            <dt>p50</dt>
            <dd>{total ? Format.milliseconds(total.p50Ms) : Format.NOTHING}</dd>
          </div>
          <div>
            <dt>Cost</dt>
            <dd>{total ? Format.dollars(total.costUsd) : Format.NOTHING}</dd>
          </div>
        </dl>
        <Toggle look="small" isSelected={asTable} onChange={setAsTable}>
          As table
        </Toggle>
      </div>
      <p className="muted chart-note">
        {data?.asOf && `Figures as of ${TimeZone.seconds(data.asOf, zone)} ${TimeZone.name(zone)}. `}
        {names.length > 0 && `Not in the chart: the filter by ${names.join(", ")}.`}
      </p>
      <div className={asTable ? "chart-table" : "chart-box"} aria-busy={isPlaceholderData}>
        {error && <Failed error={error} what="the chart" onRetry={() => refetch()} />}
        {data && (
          <Suspense fallback={null}>
            {asTable ? (
              <FiguresTable series={data} />
            ) : (
              <TrafficChart
                series={data}
                zone={zone}
                onBrush={(from, to) => look({ last: undefined, from, to })}
              />
            )}
          </Suspense>
        )}
      </div>
    </section>
  );
}
