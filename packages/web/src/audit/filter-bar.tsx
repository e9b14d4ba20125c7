/** The filters. Each control writes the address at once; what is not in the first row is behind “More filters”. */

import { useRef } from "react";
import { Disclosure, DisclosurePanel, Heading } from "react-aria-components/Disclosure";
import { useApi } from "../api-query.ts";
import { Button } from "../control/button.tsx";
import { Choice, CommittedInput, type Suggestion } from "../control/field.tsx";
import { useMay } from "../me.ts";
import type { AuditSearch } from "./audit-search.ts";
import { FacetField, OFFERED } from "./facet-field.tsx";
import { FLAGS, OUTCOMES, PROFILES } from "./labels.ts";
import type { AuditState } from "./use-audit.ts";

const FACETS = ["project", "user", "model", "status", "requestType"] as const;
const CLASSES = ["2xx", "4xx", "5xx"];
/** Not among calls of models, and so not among the trail's facets. */
const ADMINISTRATION = [{ value: "admin", note: "the gateway's keys" }];
const MORE = [
  "profile",
  "requestType",
  "flag",
  "stream",
  "minLatencyMs",
  "maxLatencyMs",
  "text",
  "requestId",
] as const;

export function FilterBar({ audit }: { audit: AuditState }) {
  const { search, look, range } = audit;
  const previews = useMay("preview.read");
  const opened = useRef(MORE.some((name) => search[name] !== undefined));
  const facets = useApi(
    "facets",
    { query: { from: range.from, to: range.to, fields: FACETS.join(","), limit: OFFERED } },
    { keep: true, staleTime: 60_000 },
  );
  const set = (name: keyof AuditSearch) => (value: string | null) => look({ [name]: value || undefined });
  const suggested = (name: (typeof FACETS)[number], label: string, more: Suggestion[] = []) => (
    <FacetField
      name={name}
      label={label}
      range={range}
      facet={facets.data?.fields[name]}
      more={more}
      value={search[name] ?? ""}
      onCommit={set(name)}
    />
  );
  const committed = (name: keyof AuditSearch, label: string, placeholder: string) => (
    <CommittedInput label={label} placeholder={placeholder} value={search[name] ?? ""} onCommit={set(name)} />
  );
  return (
    <search className="panel filters" aria-label="Filters">
      <div className="filter-row">
        {suggested("project", "Project")}
        {suggested("user", "User")}
        {suggested("model", "Model")}
        {suggested(
          "status",
          "Status",
          CLASSES.map((value) => ({ value, note: "class" })),
        )}
        <Choice
          label="Outcome"
          any="Any"
          options={OUTCOMES}
          value={search.outcome ?? null}
          onChange={set("outcome")}
        />
      </div>
      <Disclosure defaultExpanded={opened.current}>
        <Heading level={2} className="more-filters">
          <Button slot="trigger" look="quiet small">
            More filters
          </Button>
        </Heading>
        <DisclosurePanel>
          <div className="filter-row">
            {committed("requestId", "Request id", "Whole id")}
            {previews && committed("text", "Text in previews", "Part of a prompt or answer")}
            {committed("minLatencyMs", "Latency from (ms)", "0")}
            {committed("maxLatencyMs", "Latency to (ms)", "No limit")}
            {suggested("requestType", "Request type", ADMINISTRATION)}
            <Choice
              label="Mark"
              any="Any"
              options={FLAGS}
              value={search.flag ?? null}
              onChange={set("flag")}
            />
            <Choice
              label="Stream"
              any="Any"
              options={{ true: "Streams", false: "No streams" }}
              value={search.stream ?? null}
              onChange={set("stream")}
            />
            <Choice
              label="Profile"
              any="Model calls"
              options={PROFILES}
              value={search.profile ?? null}
              onChange={set("profile")}
            />
          </div>
        </DisclosurePanel>
      </Disclosure>
    </search>
  );
}
