/** Whether the trail is sound: a banner when it is not, and the figures behind it. */
import type { Overview } from "@central-llm/functions/api/contract-overview";
import { Link } from "@tanstack/react-router";
import { Note } from "../control/state.tsx";
import * as Format from "../format.ts";
import { useMay } from "../me.ts";
import * as TimeZone from "../time-zone.ts";
import { Time } from "../zone-context.tsx";

function Banner({ overview: { health, deadLetters, trail } }: { overview: Overview }) {
  const mayRepair = useMay("dead-letter.read");
  if (health.state === "ok") {
    return (
      <Note tone="good">
        No trouble is known.{" "}
        {trail.reconciledUntil === null
          ? "No hour has been checked for completeness yet."
          : "Every hour that was checked is complete."}
      </Note>
    );
  }
  return (
    <div role="alert">
      <Note
        tone={health.state === "critical" ? "bad" : "warn"}
        actions={
          mayRepair && deadLetters.count > 0 ? (
            <Link className="button small" to="/dead-letters" search={{}}>
              Dead letters
            </Link>
          ) : undefined
        }
      >
        <ul>
          {health.findings.map(({ code, severity, message }) => (
            <li key={`${code} ${message}`}>
              <strong>{severity === "critical" ? "Critical" : "Warning"}:</strong> {message}
            </li>
          ))}
        </ul>
      </Note>
    </div>
  );
}

export function TrailHealth({ overview }: { overview: Overview }) {
  const { ingest, deadLetters, trail, chain } = overview;
  return (
    <section className="stack tight" aria-label="Health of the audit trail">
      <Banner overview={overview} />
      <dl className="health">
        <div>
          <dt>Waiting for ingest</dt>
          <dd>
            {Format.counted(ingest.waiting, "object")}
            {ingest.lagMs !== null &&
              ingest.lagMs > 0 &&
              `, up to ${Format.milliseconds(ingest.lagMs)} behind`}
          </dd>
        </div>
        <div>
          <dt>Newest row</dt>
          <dd>
            <Time iso={ingest.newestRowAt} />
          </dd>
        </div>
        <div>
          <dt>Dead letters</dt>
          <dd>
            {Format.count(deadLetters.count)}
            {deadLetters.oldestAt && `, oldest ${TimeZone.relative(deadLetters.oldestAt)}`}
          </dd>
        </div>
        <div>
          <dt>Gaps (two days)</dt>
          <dd>
            {trail.missing === 0 ? "none" : `${Format.count(trail.missing)} missing`}
            {trail.silentWriters > 0 && `, ${Format.counted(trail.silentWriters, "silent writer")}`}
          </dd>
        </div>
        <div>
          <dt>Checked until</dt>
          <dd>{trail.reconciledUntil ? <Time iso={trail.reconciledUntil} /> : "not yet"}</dd>
        </div>
        <div>
          <dt>Last digest</dt>
          <dd>{chain ? `${Format.milliseconds(chain.ageMs)} ago` : "none yet"}</dd>
        </div>
      </dl>
    </section>
  );
}
