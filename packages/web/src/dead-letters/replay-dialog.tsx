/** Replay: first a dry run that says how many it would be, then the replay itself. */
import type { Replay, ReplayRequest } from "@central-llm/functions/api/contract-dead-letter";
import { useMutation } from "@tanstack/react-query";
import { call } from "../api-client.ts";
import type { ApiError } from "../api-error.ts";
import { refresh, useApi } from "../api-query.ts";
import { Button } from "../control/button.tsx";
import { Dialog } from "../control/dialog.tsx";
import { Failed, Loading, Note } from "../control/state.tsx";
import * as Format from "../format.ts";

export type Chosen =
  | { ids: string[] }
  | { all: true; reason?: ReplayRequest["reason"]; prefix?: string | undefined };

export function ReplayDialog({ chosen, onClose }: { chosen: Chosen; onClose(): void }) {
  const dryRun = useApi(
    "replay",
    { body: { ...chosen, dryRun: true } },
    { staleTime: 0, gcTime: 0, retry: false },
  );
  const replay = useMutation<Replay, ApiError>({
    mutationFn: () => call("replay", { body: chosen }),
    onSuccess: () => refresh("deadLetters", "overview"),
  });
  return (
    <Dialog title="Replay" isOpen onClose={onClose}>
      {dryRun.error && <Failed error={dryRun.error} what="the dry run" onRetry={() => dryRun.refetch()} />}
      {dryRun.isPending && <Loading what="the dry run" rows={2} />}
      {dryRun.data && !replay.data && (
        <p>
          {Format.counted(dryRun.data.matched, "dead letter")} would be sent to ingest again
          {!dryRun.data.complete && "; there may be more, which this run could not see"}. An object that is
          still bad comes back here.
        </p>
      )}
      {replay.error && <Failed error={replay.error} what="the replay" />}
      {replay.data && (
        <div role="status">
          <Note tone={replay.data.complete ? "good" : "warn"}>
            {Format.counted(replay.data.replayed, "dead letter")} sent to ingest again.
            {!replay.data.complete && " Time ran out: some may be left, replay again."}
          </Note>
        </div>
      )}
      <div className="row end">
        <Button onPress={onClose}>{replay.data ? "Close" : "Cancel"}</Button>
        {!replay.data && (
          <Button
            look="primary"
            isDisabled={!dryRun.data || dryRun.data.matched === 0 || replay.isPending}
            onPress={() => replay.mutate()}
          >
            Replay
          </Button>
        )}
      </div>
    </Dialog>
  );
}
