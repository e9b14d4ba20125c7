/** Exports what the list shows, all pages of it: format, content, and the reason that the trail keeps. */
import type { ExportRequest } from "@central-llm/functions/api/contract-export";
import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { call } from "../api-client.ts";
import type { ApiError } from "../api-error.ts";
import { refresh } from "../api-query.ts";
import { Button } from "../control/button.tsx";
import { Dialog } from "../control/dialog.tsx";
import { Choice, TextInput } from "../control/field.tsx";
import { Failed } from "../control/state.tsx";
import * as TimeZone from "../time-zone.ts";
import { useZone } from "../zone-context.tsx";
import { filterOf, filtersSet } from "./audit-search.ts";
import type { AuditState } from "./use-audit.ts";

type Kind = "csv" | "jsonl" | "objects";
const KINDS: Record<Kind, string> = {
  csv: "CSV: a line for each call",
  jsonl: "JSONL: a row for each call",
  objects: "JSONL: whole records, bodies included",
};

export function ExportDialog({
  audit,
  isOpen,
  onClose,
}: {
  audit: AuditState;
  isOpen: boolean;
  onClose(): void;
}) {
  const { search, range } = audit;
  const zone = useZone();
  const navigate = useNavigate();
  const [kind, setKind] = useState<Kind>("csv");
  const [reason, setReason] = useState("");
  const start = useMutation<unknown, ApiError>({
    mutationFn: () => {
      const filter = { ...filterOf(search), ...range } as ExportRequest["filter"];
      const body: ExportRequest = {
        format: kind === "csv" ? "csv" : "jsonl",
        content: kind === "objects" ? "objects" : "rows",
        filter,
        reason: reason.trim(),
      };
      return call("createExport", { body });
    },
    onSuccess: async () => {
      await refresh("exports");
      navigate({ to: "/exports" });
    },
  });
  const filters = filtersSet(search).filter((name) => name !== "requestId").length;
  return (
    <Dialog title="Export all matches" isOpen={isOpen} onClose={onClose}>
      <p>
        Calls from {TimeZone.seconds(range.from, zone)} to {TimeZone.seconds(range.to, zone)}{" "}
        {TimeZone.name(zone)},{" "}
        {filters === 0
          ? "without a filter"
          : filters === 1
            ? "with the one filter in force"
            : `with the ${filters} filters in force`}
        .
      </p>
      <Choice label="File" options={KINDS} value={kind} onChange={(value) => setKind(value ?? "csv")} />
      <TextInput
        label="Reason"
        description="Kept in the audit trail with your name. At least 5 characters."
        rows={2}
        value={reason}
        onChange={setReason}
        isRequired
      />
      {start.error && <Failed error={start.error} what="the export" />}
      <div className="row end">
        <Button onPress={onClose}>Cancel</Button>
        <Button
          look="primary"
          isDisabled={reason.trim().length < 5 || start.isPending}
          onPress={() => start.mutate()}
        >
          Start export
        </Button>
      </div>
    </Dialog>
  );
}
