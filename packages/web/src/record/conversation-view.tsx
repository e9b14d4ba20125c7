/** The conversation as text. Nothing that a prompt or an answer holds is more than that: no markup, no link, no picture. */
import { lazy, Suspense, useState } from "react";
import { Toggle } from "../control/button.tsx";
import { Badge, Note } from "../control/state.tsx";
import * as Format from "../format.ts";
import { answered, asked, type Turn, toolsOffered } from "./conversation.ts";
import type { Part } from "./message-part.ts";

const Markdown = lazy(() => import("./markdown.tsx"));

export interface StoredSide {
  body?: unknown;
  truncated?: boolean;
  bytes?: number;
  complete?: boolean;
}

function Said({ text, markdown }: { text: string; markdown: boolean }) {
  const plain = <div className="said">{text}</div>;
  if (!markdown) return plain;
  return (
    <Suspense fallback={plain}>
      <Markdown text={text} />
    </Suspense>
  );
}

function PartView({ part, markdown }: { part: Part; markdown: boolean }) {
  switch (part.kind) {
    case "text":
      return <Said text={part.text} markdown={markdown} />;
    case "refusal":
    case "thinking":
      return (
        <div>
          {part.kind === "refusal" ? <Badge tone="warn">Refusal</Badge> : <Badge>Thinking</Badge>}
          <Said text={part.text} markdown={markdown} />
        </div>
      );
    case "media":
      return (
        <div className="row">
          <Badge tone="info">{part.what}</Badge>
          <span className="wrapped">
            {[part.mediaType, part.bytes === null ? null : Format.bytes(part.bytes)]
              .filter(Boolean)
              .join(", ")}
          </span>
          {part.address && <code className="wrapped">{part.address}</code>}
        </div>
      );
    case "tool-call":
      return (
        <div className="tool">
          <div className="row">
            <Badge tone="info">Tool call</Badge>
            <strong className="wrapped">{part.name}</strong>
            {part.id && <code className="muted wrapped">{part.id}</code>}
          </div>
          <pre>{part.input}</pre>
        </div>
      );
    case "tool-result":
      return (
        <div className="tool">
          <div className="row">
            <Badge tone="info">Tool result</Badge>
            {part.id && <code className="muted wrapped">{part.id}</code>}
          </div>
          <Parts parts={part.parts} markdown={markdown} />
        </div>
      );
    default:
      return <pre>{part.json}</pre>;
  }
}

function Parts({ parts, markdown }: { parts: Part[]; markdown: boolean }) {
  return parts.map((part, at) => <PartView key={at} part={part} markdown={markdown} />);
}

/** Ends that need no thought; others say why an answer is short. */
const USUAL_ENDS = new Set(["stop", "end_turn", "tool_calls", "tool_use"]);

function TurnView({ turn, markdown }: { turn: Turn; markdown: boolean }) {
  return (
    <li className={`turn ${turn.side}`}>
      <div className="row apart">
        <h3 className="wrapped">
          {turn.role}
          {turn.name && <span className="muted"> {turn.name}</span>}
        </h3>
        {turn.ended && (
          <Badge tone={USUAL_ENDS.has(turn.ended) ? "plain" : "warn"}>ended: {turn.ended}</Badge>
        )}
      </div>
      <Parts parts={turn.parts} markdown={markdown} />
      {turn.parts.length === 0 && <p className="muted">Empty</p>}
    </li>
  );
}

const cut = (what: string, { truncated, bytes }: StoredSide) =>
  truncated && (
    <Note tone="warn">
      The {what} was {Format.bytes(bytes)}; only its beginning is kept.
    </Note>
  );

export function ConversationView({ request, response }: { request: StoredSide; response: StoredSide }) {
  const [markdown, setMarkdown] = useState(false);
  const turns = [...asked(request.body), ...answered(response.body)];
  const tools = toolsOffered(request.body);
  return (
    <div className="stack tight">
      <div className="row apart">
        <p className="muted wrapped">{tools.length > 0 && `Tools offered: ${tools.join(", ")}`}</p>
        <Toggle look="small" isSelected={markdown} onChange={setMarkdown}>
          Render markdown
        </Toggle>
      </div>
      {cut("request", request)}
      <ol className="turns" aria-label="Conversation">
        {turns.map((turn, at) => (
          <TurnView key={at} turn={turn} markdown={markdown} />
        ))}
      </ol>
      {cut("answer", response)}
      {response.complete === false && <Note tone="warn">The answer broke off: this is what had come.</Note>}
      {turns.every(({ side }) => side === "request") && <p className="muted">No answer was recorded.</p>}
    </div>
  );
}
