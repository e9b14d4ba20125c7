/** Rotating, blocking and unblocking: asked once more, then done. */
import type { Key, KeySecret } from "@central-llm/functions/api/contract-key";
import { useMutation } from "@tanstack/react-query";
import { call } from "../api-client.ts";
import type { ApiError } from "../api-error.ts";
import { refresh } from "../api-query.ts";
import { Button } from "../control/button.tsx";
import { Dialog } from "../control/dialog.tsx";
import { Failed } from "../control/state.tsx";
import { keyName } from "./key-columns.tsx";
import { Secret } from "./secret.tsx";

export interface Wanted {
  key: Key;
  action: "rotateKey" | "blockKey" | "unblockKey";
}

const WORDS = {
  rotateKey: {
    title: "Rotate",
    text: "Its secret is replaced: programs that use the old one are refused from then on. Limits and spend stay.",
  },
  blockKey: { title: "Block", text: "Its calls are refused until it is unblocked." },
  unblockKey: { title: "Unblock", text: "Its calls are taken again." },
};

export function KeyAction({ wanted: { key, action }, onClose }: { wanted: Wanted; onClose(): void }) {
  const { title, text } = WORDS[action];
  const done = useMutation<KeySecret | { key: Key }, ApiError>({
    mutationFn: () => call(action, { params: { id: key.keyId } }),
    onSuccess: async (answer) => {
      await refresh("keys");
      if (!("secret" in answer)) onClose();
    },
  });
  if (done.data && "secret" in done.data)
    return <Secret secret={done.data.secret} name={keyName(key)} onClose={onClose} />;
  return (
    <Dialog title={`${title} ${keyName(key)}?`} isOpen onClose={onClose}>
      <p>{text}</p>
      {done.error && <Failed error={done.error} what="the change" />}
      <div className="row end">
        <Button onPress={onClose}>Cancel</Button>
        <Button
          look={action === "unblockKey" ? "primary" : "danger"}
          isDisabled={done.isPending}
          onPress={() => done.mutate()}
        >
          {title}
        </Button>
      </div>
    </Dialog>
  );
}
