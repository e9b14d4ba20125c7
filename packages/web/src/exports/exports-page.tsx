/** One's exports: how far they are, their files, and starting a failed one again. */
import type { Export } from "@central-llm/functions/api/contract-export";
import { useMutation } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { ProgressBar } from "react-aria-components/ProgressBar";
import { call } from "../api-client.ts";
import type { ApiError } from "../api-error.ts";
import { refresh, useApi } from "../api-query.ts";
import { Button } from "../control/button.tsx";
import { type Column, DataTable } from "../control/data-table.tsx";
import { Badge, Empty, Failed, Loading } from "../control/state.tsx";
import * as Format from "../format.ts";
import { Guarded } from "../guarded.tsx";
import { PageHead } from "../layout.tsx";
import * as TimeZone from "../time-zone.ts";
import { ShortTime } from "../zone-context.tsx";

const STATES: Record<Export["state"], { name: string; tone: "plain" | "info" | "good" | "bad" | "warn" }> = {
  queued: { name: "Waiting", tone: "plain" },
  running: { name: "Running", tone: "info" },
  done: { name: "Done", tone: "good" },
  failed: { name: "Failed", tone: "bad" },
  expired: { name: "Expired", tone: "plain" },
};
const isUnderWay = ({ state }: Export) => state === "queued" || state === "running";

function State({ job }: { job: Export }) {
  const { name, tone } = STATES[job.state];
  return (
    <span className="badges">
      <Badge tone={tone} title={job.error ?? undefined}>
        {name}
      </Badge>
      {job.attempts > 1 && <Badge>try {job.attempts}</Badge>}
    </span>
  );
}

function Progress({ job }: { job: Export }) {
  if (job.state === "failed") return <span title={job.error ?? undefined}>{job.error ?? "–"}</span>;
  return (
    <ProgressBar
      className="progress"
      value={(job.state === "done" || job.state === "expired" ? 1 : job.progress) * 100}
      aria-label={`Progress of the export of ${job.createdAt}`}
    >
      {({ percentage, valueText }) => (
        <>
          <span className="track">
            <span className="fill" style={{ width: `${percentage}%` }} />
          </span>
          {valueText}
        </>
      )}
    </ProgressBar>
  );
}

/** What was exported, as the filter says. */
function Filter({ filter }: { filter: Export["filter"] }) {
  const { from: _from, to: _to, ...rest } = filter;
  const words = Object.entries(rest).map(([name, value]) => `${name} = ${String(value)}`);
  return <span title={words.join(", ")}>{words.join(", ") || "all calls"}</span>;
}

function Actions({ job }: { job: Export }) {
  const download = useMutation<unknown, ApiError>({
    mutationFn: async () => {
      const { url, fileName } = await call("exportLink", { params: { id: job.id } });
      const link = document.createElement("a");
      link.href = url;
      link.download = fileName;
      link.rel = "noreferrer";
      link.click();
      await refresh("accessLog");
    },
  });
  const retry = useMutation<unknown, ApiError>({
    mutationFn: () => call("retryExport", { params: { id: job.id } }),
    onSuccess: () => refresh("exports"),
  });
  const error = download.error ?? retry.error;
  const name = `${job.format.toUpperCase()} of ${job.createdAt}`;
  return (
    <span className="row">
      {job.state === "done" && (
        <Button
          look="small"
          aria-label={`Download ${name}`}
          isDisabled={download.isPending}
          onPress={() => download.mutate()}
        >
          Download
        </Button>
      )}
      {job.state === "failed" && (
        <Button
          look="small"
          aria-label={`Try again: ${name}`}
          isDisabled={retry.isPending}
          onPress={() => retry.mutate()}
        >
          Try again
        </Button>
      )}
      {error && (
        <span role="alert" className="field-error">
          {error.message}
        </span>
      )}
    </span>
  );
}

const COLUMNS: Column<Export>[] = [
  {
    id: "created",
    zoned: true,
    header: "Asked for",
    width: 20,
    cell: ({ createdAt }) => <ShortTime iso={createdAt} />,
  },
  { id: "state", header: "State", width: 10, cell: (job) => <State job={job} /> },
  { id: "progress", header: "Progress", width: 15, cell: (job) => <Progress job={job} /> },
  { id: "rows", header: "Rows", width: 7, numeric: true, cell: ({ rows }) => Format.count(rows) },
  { id: "size", header: "Size", width: 9, numeric: true, cell: ({ bytes }) => Format.bytes(bytes) },
  {
    id: "file",
    header: "File",
    width: 12,
    cell: ({ format, content }) => `${format.toUpperCase()}${content === "objects" ? ", with bodies" : ""}`,
  },
  { id: "filter", header: "Filter", width: 11, cell: ({ filter }) => <Filter filter={filter} /> },
  { id: "reason", header: "Reason", width: 13, cell: ({ reason }) => reason, title: ({ reason }) => reason },
  {
    id: "expires",
    header: "File kept until",
    width: 11,
    title: ({ expiresAt }) => expiresAt,
    cell: ({ state, expiresAt }) =>
      state === "expired" ? "deleted" : expiresAt ? TimeZone.relative(expiresAt) : "–",
  },
  { id: "actions", pinned: true, header: "Actions", width: 13, cell: (job) => <Actions job={job} /> },
];

function Exports() {
  const { data, error, refetch } = useApi(
    "exports",
    {},
    {
      staleTime: 2_000,
      // While one is under way, its progress is shown as it goes.
      refetchInterval: ({ state }) => (state.data?.exports.some(isUnderWay) ? 1_500 : false),
    },
  );
  const jobs = useMemo(() => data?.exports ?? [], [data]);
  const done = jobs.filter(({ state }) => state === "done").length;
  return (
    <>
      <PageHead title="Exports">
        <Link className="button" to="/audit" search={{}}>
          New export
        </Link>
      </PageHead>
      <p className="muted">
        Exports start on the Audit page: filter there, then “Export”. Files are yours alone and are deleted in
        time.
      </p>
      <section className="panel" aria-label="Your exports">
        {error && <Failed error={error} what="your exports" onRetry={() => refetch()} />}
        {!data && !error && <Loading what="your exports" />}
        {data && jobs.length === 0 && <Empty title="No exports yet." />}
        {jobs.length > 0 && (
          <DataTable
            label="Exports"
            columns={COLUMNS}
            rows={jobs}
            rowId={({ id }) => id}
            density="comfortable"
          />
        )}
        <span className="visually-hidden" role="status">
          {data ? `${done} of ${Format.counted(jobs.length, "export")} done` : ""}
        </span>
      </section>
    </>
  );
}

export function ExportsPage() {
  return (
    <Guarded permission="export.use" title="Exports">
      <Exports />
    </Guarded>
  );
}
