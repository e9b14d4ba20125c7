/** Who or what made most calls; each is a way into the list. */
import type { Overview } from "@central-llm/functions/api/contract-overview";
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { type Column, DataTable } from "../control/data-table.tsx";
import * as Format from "../format.ts";
import type { RangeSearch } from "../time-range.ts";

type Top = Overview["top"]["project"][number];

const columns = (field: "project" | "user" | "model", search: RangeSearch): Column<Top>[] => [
  {
    id: "value",
    header: { project: "Project", user: "User", model: "Model" }[field],
    width: 15,
    title: ({ value }) => value,
    cell: ({ value }) => (
      <Link to="/audit" search={{ last: search.last, from: search.from, to: search.to, [field]: value }}>
        {value}
      </Link>
    ),
  },
  {
    id: "calls",
    header: "Calls",
    width: 8,
    numeric: true,
    cell: ({ requests }) => Format.shortCount(requests),
  },
  {
    id: "errors",
    header: "Errors",
    width: 9,
    numeric: true,
    cell: ({ requests, errors }) => Format.share(requests === 0 ? 0 : errors / requests),
  },
  { id: "p95", header: "p95", width: 10, numeric: true, cell: ({ p95Ms }) => Format.milliseconds(p95Ms) },
  { id: "cost", header: "Spend", width: 9, numeric: true, cell: ({ costUsd }) => Format.dollars(costUsd) },
];

export function TopList({
  title,
  field,
  values,
  search,
}: {
  title: string;
  field: "project" | "user" | "model";
  values: Top[];
  search: RangeSearch;
}) {
  const { last, from, to } = search;
  const shown = useMemo(() => columns(field, { last, from, to }), [field, last, from, to]);
  return (
    <section className="panel" aria-label={title}>
      <header>
        <h2>{title}</h2>
      </header>
      {values.length === 0 ? (
        <p className="inside muted">No calls in this window.</p>
      ) : (
        <DataTable label={title} columns={shown} rows={values} rowId={({ value }) => value} />
      )}
    </section>
  );
}
