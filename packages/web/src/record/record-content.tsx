/** The content: behind a stated reason, which the trail keeps. It lives in this component alone and goes with it. */
import type { BodyAnswer } from "@central-llm/functions/api/contract-record";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { call } from "../api-client.ts";
import type { ApiError } from "../api-error.ts";
import { Button } from "../control/button.tsx";
import { TextInput } from "../control/field.tsx";
import { Failed, Note } from "../control/state.tsx";
import * as Format from "../format.ts";
import { useMay } from "../me.ts";
import { ConversationView, type StoredSide } from "./conversation-view.tsx";
import { Section } from "./facts.tsx";
import { RawJson } from "./raw-json.tsx";

/** The last reason given, as a suggestion for the next record of the same case. Gone with the tab. */
let lastReason = "";

export function RecordContent({
  id,
  receivedAt,
  onRead,
}: {
  id: string;
  receivedAt: string | undefined;
  /** @param viewId the audit record of the view */
  onRead(viewId: string): void;
}) {
  const may = useMay("body.read");
  const [reason, setReason] = useState(lastReason);
  const body = useMutation<BodyAnswer, ApiError>({
    mutationFn: () =>
      call("body", { params: { id }, query: { receivedAt }, body: { reason: reason.trim() } }),
    onSuccess: ({ viewId }) => {
      lastReason = reason.trim();
      onRead(viewId);
    },
  });
  if (!may) {
    return (
      <Section title="Conversation">
        <p className="inside muted">
          Prompts and answers are for auditors. What else is hidden from your role is marked so.
        </p>
      </Section>
    );
  }
  if (body.data) return <Content id={id} answer={body.data} />;
  return (
    <Section title="Conversation">
      <form
        className="inside stack tight"
        onSubmit={(event) => {
          event.preventDefault();
          if (reason.trim().length >= 5) body.mutate();
        }}
      >
        <TextInput
          label="Why do you need to read it?"
          description="Kept in the audit trail with your name and the time. At least 5 characters."
          value={reason}
          onChange={setReason}
        />
        <div className="row">
          <Button type="submit" look="primary" isDisabled={reason.trim().length < 5 || body.isPending}>
            Show the conversation
          </Button>
        </div>
        {body.error && <Failed error={body.error} what="the conversation" />}
      </form>
    </Section>
  );
}

function Content({ id, answer }: { id: string; answer: BodyAnswer }) {
  const object = answer.object as { request?: StoredSide; response?: StoredSide } | null;
  if (object === null) {
    return (
      <Section title="Conversation">
        <div className="inside stack tight">
          <Note tone="info">This record has {Format.bytes(answer.bytes)}: too large to be shown here.</Note>
          {answer.download && (
            <a className="button" href={answer.download.url} download={`${id}.json`} rel="noreferrer">
              Download the record
            </a>
          )}
        </div>
      </Section>
    );
  }
  return (
    <>
      <Section title="Conversation">
        <div className="inside">
          <ConversationView request={object.request ?? {}} response={object.response ?? {}} />
        </div>
      </Section>
      <RawJson title="Raw record" name={`${id}.json`} value={object} sha256={answer.sha256} />
    </>
  );
}
