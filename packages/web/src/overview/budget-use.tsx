/** How much of each budget is used, the fullest first. */
import type { Budget } from "@central-llm/functions/api/contract-overview";
import { Label } from "react-aria-components/Label";
import { Meter } from "react-aria-components/Meter";
import { useApi } from "../api-query.ts";
import { Failed, Loading } from "../control/state.tsx";
import * as Format from "../format.ts";
import * as TimeZone from "../time-zone.ts";

const level = (used: number) => (used >= 1 ? "bad" : used >= 0.8 ? "warn" : "good");

function BudgetMeter({ budget }: { budget: Budget }) {
  const spent = `${Format.dollars(budget.spendUsd)} of ${Format.dollars(budget.maxBudgetUsd)} (${Format.share(budget.used)})`;
  return (
    <li>
      <Meter className="meter" value={Math.min(1, budget.used) * 100} valueLabel={spent}>
        {({ percentage }) => (
          <>
            <div className="row apart budget">
              <Label>
                {budget.name} <span className="muted">{budget.userId ?? budget.teamId}</span>
              </Label>
              <span>
                {spent}
                {budget.resetsAt && (
                  <span className="muted"> resets {TimeZone.relative(budget.resetsAt)}</span>
                )}
              </span>
            </div>
            <div className="track">
              <div className={`fill ${level(budget.used)}`} style={{ width: `${percentage}%` }} />
            </div>
          </>
        )}
      </Meter>
    </li>
  );
}

export function BudgetUse() {
  const { data, error, refetch } = useApi("budgets", {}, { staleTime: 300_000 });
  return (
    <section className="panel" aria-label="Budgets">
      <header>
        <h2>Budgets</h2>
      </header>
      {error &&
        (error.code === "gateway_unavailable" ? (
          <p className="inside muted">Budgets are the gateway's, and it does not answer: {error.message}</p>
        ) : (
          <Failed error={error} what="the budgets" onRetry={() => refetch()} />
        ))}
      {!data && !error && <Loading what="budgets" rows={3} />}
      {data?.budgets.length === 0 && <p className="inside muted">No key has a budget.</p>}
      {data && data.budgets.length > 0 && (
        <ul className="inside stack tight">
          {data.budgets.slice(0, 12).map((budget) => (
            <BudgetMeter key={budget.id} budget={budget} />
          ))}
        </ul>
      )}
    </section>
  );
}
