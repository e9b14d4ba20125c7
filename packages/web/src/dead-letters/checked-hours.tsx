/** The last day's hours: which are proven complete, and looking at one anew. */
import type { Completeness } from "@central-llm/functions/api/contract-overview";
import type { Reconcile } from "@central-llm/functions/api/contract-reconcile";
import { useMutation } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { call } from "../api-client.ts";
import type { ApiError } from "../api-error.ts";
import { refresh, useApi } from "../api-query.ts";
import { Button } from "../control/button.tsx";
import { type Column, DataTable } from "../control/data-table.tsx";
import { Badge, Failed, Loading, Note } from "../control/state.tsx";
import * as Format from "../format.ts";
import * as TimeZone from "../time-zone.ts";
import { ShortTime, useZone } from "../zone-context.tsx";

type Hour = Completeness["hours"][number];

const HOUR_MS = 3_600_000;
const HOURS = 24;
/** As the API has it: an hour's last records need some minutes to arrive. */
const SETTLED_MS = 15 * 60_000;

const STATES: Record<Hour["state"], { name: string; tone: "good" | "bad" | "plain" }> = {
  complete: { name: "Complete", tone: "good" },
  incomplete: { name: "Not complete", tone: "bad" },
  running: { name: "Half checked", tone: "plain" },
  unchecked: { name: "Not checked yet", tone: "plain" },
};

const wordOf = (hour: string, busy: string | null) => (busy === hour ? "Checking …" : "Check now");

const columns = (check: (hour: string) => void, busy: string | null): Column<Hour>[] => [
  { id: "hour", header: "Hour from", zoned: true, width: 22, cell: ({ hour }) => <ShortTime iso={hour} /> },
  {
    id: "state",
    header: "State",
    width: 18,
    cell: ({ state }) => <Badge tone={STATES[state].tone}>{STATES[state].name}</Badge>,
  },
  {
    id: "missing",
    header: "Missing",
    width: 10,
    numeric: true,
    cell: ({ missing }) => Format.count(missing),
  },
  {
    id: "verdict",
    header: "Found",
    width: 46,
    cell: ({ verdict }) => verdict ?? Format.NOTHING,
    title: ({ verdict }) => verdict,
  },
  {
    id: "check",
    header: "Check",
    width: 16,
    pinned: true,
    cell: ({ hour }) => (
      <Button
        look="small"
        aria-label={`${wordOf(hour, busy)}: hour from ${hour}`}
        isDisabled={busy !== null}
        onPress={() => check(hour)}
      >
        {wordOf(hour, busy)}
      </Button>
    ),
  },
];

/** In words, for the person who pressed the button. */
function Answer({ answer }: { answer: Reconcile }) {
  const zone = useZone();
  const hour = `${TimeZone.short(answer.hour, zone)} ${TimeZone.name(zone, Date.parse(answer.hour))}`;
  if (answer.state === "running")
    return <Note tone="warn">The hour from {hour} is half checked: check it again, and it goes on.</Note>;
  const again =
    answer.requeued > 0
      ? ` ${Format.counted(answer.requeued, "object")} without a row sent to ingest again.`
      : "";
  return (
    <Note tone={answer.state === "complete" ? "good" : "bad"}>
      The hour from {hour}: {answer.verdict}.{again}
    </Note>
  );
}

export function CheckedHours() {
  const [now] = useState(Date.now);
  const to = Math.floor((now - SETTLED_MS) / HOUR_MS) * HOUR_MS;
  const query = { from: new Date(to - HOURS * HOUR_MS).toISOString(), to: new Date(to).toISOString() };
  const { data, error, refetch } = useApi("completeness", { query }, { keep: true });
  const check = useMutation<Reconcile, ApiError, string>({
    mutationFn: (hour) => call("reconcile", { body: { hour } }),
    onSuccess: () => refresh("completeness", "overview"),
  });
  const { mutate, isPending, variables } = check;
  const shown = useMemo(
    () => columns(mutate, isPending ? (variables ?? null) : null),
    [mutate, isPending, variables],
  );
  const hours = useMemo(() => [...(data?.hours ?? [])].reverse(), [data]);
  return (
    <section className="panel" aria-label="Checked hours">
      <header>
        <h2>Is every hour complete?</h2>
      </header>
      <p className="inside muted">
        Objects, rows and the writers' own numbers are held against each other twenty minutes past each hour,
        and when you ask. What lacks a row is sent to ingest again.
      </p>
      <div role="status">{check.data && <Answer answer={check.data} />}</div>
      {check.error && <Failed error={check.error} what="the check" />}
      {error && <Failed error={error} what="the checked hours" onRetry={() => refetch()} />}
      {!data && !error && <Loading what="the checked hours" rows={HOURS} />}
      {data && <DataTable label="Checked hours" columns={shown} rows={hours} rowId={({ hour }) => hour} />}
    </section>
  );
}
