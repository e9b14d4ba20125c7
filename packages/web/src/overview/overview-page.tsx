/** The platform at a glance: is the trail sound, who calls what, what does it cost. */
import type { Overview } from "@central-llm/functions/api/contract-overview";
import { getRouteApi } from "@tanstack/react-router";
import { lazy, Suspense, useMemo, useState } from "react";
import { refreshPage, useApi } from "../api-query.ts";
import { Button } from "../control/button.tsx";
import { RangePicker } from "../control/range-picker.tsx";
import { Failed, Loading } from "../control/state.tsx";
import { Guarded } from "../guarded.tsx";
import { PageHead } from "../layout.tsx";
import { useMay } from "../me.ts";
import * as TimeRange from "../time-range.ts";
import type { Zone } from "../time-zone.ts";
import { useZone } from "../zone-context.tsx";
import { BudgetUse } from "./budget-use.tsx";
import { FigureTiles } from "./figure-tiles.tsx";
import { TopList } from "./top-list.tsx";
import { TrailHealth } from "./trail-health.tsx";

const TrafficChart = lazy(() => import("../chart/traffic-chart.tsx"));
const SpendChart = lazy(() => import("../chart/spend-chart.tsx"));
const route = getRouteApi("/");
const CHARTS = { keep: true, staleTime: 60_000 };

function Charts({ range, onBrush }: { range: TimeRange.Range; onBrush(from: string, to: string): void }) {
  const zone = useZone();
  const { data, error, refetch } = useApi("series", { query: range }, CHARTS);
  return (
    <div className="columns">
      <section className="panel" aria-label="Traffic, errors and latency">
        <header>
          <h2>Traffic, errors, latency</h2>
          <span className="row">
            <span className="swatch requests">Calls</span>
            <span className="swatch errors">Errors</span>
            <span className="swatch latency">p95</span>
          </span>
        </header>
        <div className="chart-box tall">
          {error && <Failed error={error} what="the chart" onRetry={() => refetch()} />}
          {data && (
            <Suspense fallback={null}>
              <TrafficChart series={data} zone={zone} height={200} onBrush={onBrush} />
            </Suspense>
          )}
        </div>
      </section>
      <section className="panel" aria-label="Spend">
        <header>
          <h2>Spend</h2>
          <span className="swatch requests">Dollars</span>
        </header>
        <div className="chart-box tall">
          {data && (
            <Suspense fallback={null}>
              <SpendChart series={data} zone={zone} />
            </Suspense>
          )}
        </div>
      </section>
    </div>
  );
}

function Tops({
  top,
  search,
  budgets,
}: {
  top: Overview["top"];
  search: TimeRange.RangeSearch;
  budgets: boolean;
}) {
  return (
    <div className="columns">
      <TopList title="Top projects" field="project" values={top.project} search={search} />
      <TopList title="Top users" field="user" values={top.user} search={search} />
      <TopList title="Top models" field="model" values={top.model} search={search} />
      {budgets && <BudgetUse />}
    </div>
  );
}

function OverviewContent() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const zone = useZone();
  const budgets = useMay("budget.read");
  const [now, setNow] = useState(Date.now);
  const range = useMemo(() => TimeRange.resolve(search, zone, now), [search, zone, now]);
  const { data, error, refetch } = useApi("overview", { query: range }, { keep: true });
  // The charts' figures, asked for meanwhile.
  useApi("series", { query: range }, CHARTS);
  const setRange = (change: TimeRange.RangeSearch) => {
    setNow(Date.now());
    navigate({ search: (search) => ({ ...search, ...change }) });
  };
  const setZone = (zone: Zone) =>
    navigate({
      search: (search) => ({ ...search, utc: zone === "utc" ? ("1" as const) : undefined }),
      replace: true,
    });
  const again = () => {
    setNow(Date.now());
    void refreshPage();
  };
  return (
    <>
      <PageHead title="Overview">
        <RangePicker search={search} onChange={setRange} onZone={setZone} />
        <Button onPress={again}>Refresh</Button>
      </PageHead>
      {error && (
        <div className="panel">
          <Failed error={error} what="the overview" onRetry={() => refetch()} />
        </div>
      )}
      {/* All at once: how many findings there are, nobody knows before, and they are at the top. */}
      {!data && !error && <Loading what="the overview" rows={20} />}
      {data && (
        <>
          <TrailHealth overview={data} />
          <FigureTiles now={data.totals} before={data.before} asOf={data.asOf} />
        </>
      )}
      {(data || error) && (
        <Charts
          range={range}
          onBrush={(from, to) => setRange({ last: undefined, at: undefined, from, to })}
        />
      )}
      {data && <Tops top={data.top} search={search} budgets={budgets} />}
    </>
  );
}

export function OverviewPage() {
  return (
    <Guarded permission="overview.read" title="Overview">
      <OverviewContent />
    </Guarded>
  );
}
