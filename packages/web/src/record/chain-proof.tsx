/** Whether the record is what was written, and what shows it. */
import type { ProofAnswer } from "@central-llm/functions/api/contract-record";
import { Link } from "@tanstack/react-router";
import { useApi } from "../api-query.ts";
import { Badge, Failed, Loading } from "../control/state.tsx";
import * as Format from "../format.ts";
import { Time } from "../zone-context.tsx";
import { Fact, Facts } from "./facts.tsx";

export const STATES: Record<
  ProofAnswer["state"],
  { name: string; tone: "good" | "info" | "plain" | "bad" | "warn" }
> = {
  sealed: { name: "Verified: sealed", tone: "good" },
  chained: { name: "Verified: chained", tone: "good" },
  alone: { name: "Nothing vouches for it yet", tone: "plain" },
  broken: { name: "Broken", tone: "bad" },
  unknown: { name: "Cannot be verified", tone: "warn" },
};

function Neighbour({ link }: { link: ProofAnswer["previous"] }) {
  const words = {
    linked: "hashes agree",
    broken: "hashes do not agree",
    not_found: "not found",
    none: "none",
  }[link.state];
  return (
    <>
      {link.requestId && (
        <Link to="/records/$id" params={{ id: link.requestId }} search={{}}>
          <code>{link.requestId}</code>
        </Link>
      )}{" "}
      <Badge tone={link.state === "linked" ? "good" : link.state === "broken" ? "bad" : "plain"}>
        {words}
      </Badge>
    </>
  );
}

const input = (id: string, receivedAt: string | undefined) => ({ params: { id }, query: { receivedAt } });

export function VerifiedBadge({ id, receivedAt }: { id: string; receivedAt: string | undefined }) {
  const { data, error } = useApi("proof", input(id, receivedAt), { staleTime: 60_000 });
  if (error) return <Badge title={error.message}>Not read</Badge>;
  if (!data) return <Badge>Verifying …</Badge>;
  return (
    <Badge tone={STATES[data.state].tone} title={data.explanation}>
      {STATES[data.state].name}
    </Badge>
  );
}

export function ChainProof({ id, receivedAt }: { id: string; receivedAt: string | undefined }) {
  const { data, error, refetch } = useApi("proof", input(id, receivedAt), { staleTime: 60_000 });
  if (error) return <Failed error={error} what="the proof" onRetry={() => refetch()} />;
  if (!data) return <Loading what="the proof" rows={4} />;
  return (
    <div className="inside stack tight">
      <p>{data.explanation}</p>
      <Facts>
        <Fact name="State">
          <Badge tone={STATES[data.state].tone}>{STATES[data.state].name}</Badge>
        </Fact>
        <Fact name="sha256">{data.sha256 && <code className="wrapped">{data.sha256}</code>}</Fact>
        <Fact name="Writer">
          {data.writer && (
            <>
              <code className="wrapped">{data.writer}</code>, number {Format.count(data.sequence)}
            </>
          )}
        </Fact>
        <Fact name="Before it">
          <Neighbour link={data.previous} />
        </Fact>
        <Fact name="After it">
          <Neighbour link={data.next} />
        </Fact>
        <Fact name="Digest">
          {data.digest ? (
            <>
              hour of <Time iso={data.digest.hour} />, {data.digest.signed ? "signed" : "not signed"}
            </>
          ) : (
            "None yet"
          )}
        </Fact>
      </Facts>
    </div>
  );
}
