/** Identity, model, transport and policy: what the stored object says beside its content. */
import type { Metadata } from "@central-llm/functions/api/contract-record";
import { Badge } from "../control/state.tsx";
import * as Format from "../format.ts";
import { Fact, Facts, Section } from "./facts.tsx";

function Matches({ matches }: { matches: boolean | null }) {
  if (matches === null) return <Badge>Nothing to compare</Badge>;
  return matches ? (
    <Badge tone="good">Matches the key</Badge>
  ) : (
    <Badge tone="bad">Does not match the key</Badge>
  );
}

const side = ({ bytes, truncated }: Metadata["request"]) =>
  `${Format.bytes(bytes)}${truncated ? ", cut" : ""}`;

export function RecordMetadata({ metadata, hidden }: { metadata: Metadata; hidden: string[] }) {
  const { identity, http, model, policy, request, response, error } = metadata;
  const isHidden = (path: string) => hidden.includes(`metadata.${path}`);
  return (
    <>
      <Section title="Identity">
        <div className="inside">
          <Facts>
            <Fact name="Shown by">{identity.method}</Fact>
            <Fact name="Key">{identity.keyAlias ?? identity.keyId}</Fact>
            <Fact name="Team">{identity.teamId}</Fact>
            <Fact name="Says to be">{identity.assertedUser}</Fact>
            <Fact name="Check">
              <Matches matches={identity.matches} />
            </Fact>
            <Fact name="Client's request id">{metadata.clientRequestId}</Fact>
          </Facts>
        </div>
      </Section>
      <Section title="Model and transport">
        <div className="inside">
          <Facts>
            <Fact name="Asked for">{model.requested}</Fact>
            <Fact name="Served by">
              {model.served} <span className="muted">{model.provider}</span>
            </Fact>
            <Fact name="Request">
              <code className="wrapped">
                {http.method} {http.path}
              </code>
            </Fact>
            <Fact name="Client address" hidden={isHidden("http.clientIp")}>
              {http.clientIp}
            </Fact>
            <Fact name="Program" hidden={isHidden("http.userAgent")}>
              {http.userAgent}
            </Fact>
            <Fact name="Sizes">
              {side(request)} asked, {side(response)} answered
              {response.chunks > 0 && ` in ${Format.counted(response.chunks, "piece")}`}
            </Fact>
            {error && (
              <Fact name="Error">
                {error.type}
                {isHidden("error.message") ? (
                  <span className="muted"> (wording hidden from your role)</span>
                ) : (
                  error.message && `: ${error.message}`
                )}
              </Fact>
            )}
          </Facts>
        </div>
      </Section>
      <Section title="Policy">
        <div className="inside">
          <Facts>
            <Fact name="PII">
              {policy.pii.length === 0
                ? "None found"
                : policy.pii.map(({ entity, count, action }) => (
                    <Badge key={`${entity} ${action}`} tone={action === "block" ? "bad" : "warn"}>
                      {entity} ×{count}: {action}
                    </Badge>
                  ))}
            </Fact>
            <Fact name="Limits and filters">
              {policy.hash && <code className="wrapped">{policy.hash}</code>}
            </Fact>
          </Facts>
        </div>
      </Section>
    </>
  );
}
