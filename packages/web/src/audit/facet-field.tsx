/** A filter that offers the trail's own values: the most frequent, and where there are more, those that hold what is typed. */
import type { Facets, FacetField as Name } from "@central-llm/functions/api/contract-chart";
import { useEffect, useState } from "react";
import { useApi } from "../api-query.ts";
import { Suggested, type Suggestion } from "../control/field.tsx";
import * as Format from "../format.ts";
import type { Range } from "../time-range.ts";

/** Values of a field that are asked for at a time. */
export const OFFERED = 100;
const LEAST_TYPED = 2;
const PAUSE_MS = 200;

/** The text once no more was typed for a moment. */
function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}

export function FacetField({
  name,
  label,
  range,
  facet,
  more = [],
  value,
  onCommit,
}: {
  name: Name;
  label: string;
  range: Range;
  /** The most frequent values, when they are there. */
  facet: Facets["fields"][Name];
  /** Offered before the trail's own. */
  more?: Suggestion[];
  value: string;
  onCommit(value: string): void;
}) {
  const [typed, setTyped] = useState("");
  const q = useSettled(typed.trim());
  const search = facet !== undefined && facet.total > facet.values.length && q.length >= LEAST_TYPED;
  const found = useApi(
    "facets",
    { query: { from: range.from, to: range.to, fields: name, q, limit: OFFERED } },
    { keep: true, staleTime: 60_000, enabled: search },
  );
  const values = (search ? found.data?.fields[name] : undefined)?.values ?? facet?.values ?? [];
  return (
    <Suggested
      label={label}
      placeholder="Any"
      suggestions={[
        ...more,
        ...values.map(({ value, requests }) => ({ value, note: Format.shortCount(requests) })),
      ]}
      value={value}
      onCommit={onCommit}
      onTyped={setTyped}
    />
  );
}
