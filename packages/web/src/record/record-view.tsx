/** One call, all that is known of it. */
import type { RecordAnswer } from "@central-llm/functions/api/contract-record";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useApi } from "../api-query.ts";
import { OUTCOMES, PROFILES } from "../audit/labels.ts";
import { Marks, Status } from "../audit/marks.tsx";
import { Badge, Failed, Loading, Note } from "../control/state.tsx";
import * as Format from "../format.ts";
import { Time } from "../zone-context.tsx";
import { ChainProof, VerifiedBadge } from "./chain-proof.tsx";
import { Fact, Facts, Section } from "./facts.tsx";
import { RawJson } from "./raw-json.tsx";
import { RecordContent } from "./record-content.tsx";
import { RecordMetadata } from "./record-metadata.tsx";
import { type OnOther, RecordNeighbours } from "./record-neighbours.tsx";
import { RecordViews } from "./record-views.tsx";
import { TimingBar } from "./timing-bar.tsx";

function Summary({ answer, receivedAt }: { answer: RecordAnswer; receivedAt: string | undefined }) {
  const { row } = answer;
  return (
    <Section title="Call" actions={<VerifiedBadge id={row.requestId} receivedAt={receivedAt} />}>
      <div className="inside stack">
        <Facts>
          <Fact name="Received">
            <Time iso={row.receivedAt} precise />
          </Fact>
          <Fact name="Request id">
            <code className="wrapped">{row.requestId}</code>
          </Fact>
          <Fact name="Project">
            <Link to="/audit" search={{ project: row.projectId }}>
              {row.projectId}
            </Link>
          </Fact>
          <Fact name="User">
            <Link to="/audit" search={{ user: row.userId }}>
              {row.userId}
            </Link>
          </Fact>
          <Fact name="Status">
            <Status code={row.statusCode} /> {OUTCOMES[row.outcome]}{" "}
            <Marks row={{ ...row, outcome: "completed" }} />
          </Fact>
          <Fact name="Profile and type">
            {[row.profile && PROFILES[row.profile], row.requestType].filter(Boolean).join(", ") || null}
          </Fact>
        </Facts>
        <TimingBar call={{ ...row, queueTimeMs: answer.metadata?.queueTimeMs ?? null }} />
      </div>
    </Section>
  );
}

export function RecordView({
  id,
  receivedAt,
  onOther,
}: {
  id: string;
  receivedAt: string | undefined;
  onOther?: OnOther;
}) {
  const [viewed, setViewed] = useState<string | null>(null);
  const { data, error, refetch } = useApi("record", { params: { id }, query: { receivedAt } });
  if (error) return <Failed error={error} what="this record" onRetry={() => refetch()} />;
  if (!data) return <Loading what="the record" rows={16} />;
  const { row, metadata, unavailable, siblings } = data;
  return (
    <div className="stack" key={`${row.receivedAt}#${row.requestId}`}>
      {unavailable && (
        <Note tone="bad">The stored object cannot be read: {unavailable}. What follows is its row.</Note>
      )}
      {siblings.length > 0 && (
        <Note tone="info">
          The client used this id {siblings.length + 1} times:{" "}
          {siblings.map((sibling) => (
            <Link
              key={sibling.receivedAt}
              to="/records/$id"
              params={{ id: sibling.requestId }}
              search={{ receivedAt: sibling.receivedAt }}
            >
              <Time iso={sibling.receivedAt} />{" "}
            </Link>
          ))}
        </Note>
      )}
      <Summary answer={data} receivedAt={receivedAt} />
      <RecordContent id={row.requestId} receivedAt={row.receivedAt} onRead={setViewed} />
      <div className="columns">
        <Section title="Tokens and cost">
          <div className="inside">
            <Facts>
              <Fact name="Tokens in">{Format.count(metadata?.usage.promptTokens ?? row.promptTokens)}</Fact>
              <Fact name="Tokens out">
                {Format.count(metadata?.usage.completionTokens ?? row.completionTokens)}
              </Fact>
              <Fact name="Counted by">{metadata?.usage.source ?? null}</Fact>
              <Fact name="Cost">
                {Format.dollars(metadata?.cost?.usd ?? row.costUsd)}
                {metadata?.cost && <span className="muted"> prices of {metadata.cost.priceTable}</span>}
              </Fact>
            </Facts>
          </div>
        </Section>
        {metadata && <RecordMetadata metadata={metadata} hidden={data.hidden} />}
      </div>
      <Section title="Chain proof">
        <ChainProof id={row.requestId} receivedAt={row.receivedAt} />
      </Section>
      <RecordNeighbours row={row} onOther={onOther} />
      <RecordViews id={row.requestId} receivedAt={row.receivedAt} awaited={viewed} />
      <RawJson title="Row and metadata" name={`${row.requestId}.metadata.json`} value={data} />
      <p className="muted wrapped">
        <Badge>Object</Badge> <code>{data.objectKey}</code>
      </p>
    </div>
  );
}
