/** The filters in force, each with a way out of it: none is forgotten behind a closed disclosure. */
import { Button } from "../control/button.tsx";
import { type FilterName, filtersSet } from "./audit-search.ts";
import { FLAGS, OUTCOMES, PROFILES } from "./labels.ts";
import type { AuditState } from "./use-audit.ts";

const NAMES: Record<FilterName, string> = {
  project: "Project",
  user: "User",
  status: "Status",
  model: "Model",
  outcome: "Outcome",
  profile: "Profile",
  requestType: "Type",
  flag: "Mark",
  stream: "Stream",
  minLatencyMs: "Latency from",
  maxLatencyMs: "Latency to",
  text: "Text",
  requestId: "Request id",
};
const WORDS: Partial<Record<FilterName, Record<string, string>>> = {
  outcome: OUTCOMES,
  profile: PROFILES,
  flag: FLAGS,
  stream: { true: "yes", false: "no" },
};

export function ActiveFilters({ audit: { search, look } }: { audit: AuditState }) {
  const set = filtersSet(search);
  if (set.length === 0) return null;
  return (
    <ul className="row" aria-label="Filters in force">
      {set.map((name) => {
        const value = search[name] as string;
        const shown = WORDS[name]?.[value] ?? (name.endsWith("Ms") ? `${value} ms` : value);
        return (
          <li key={name}>
            <Button
              look="small"
              aria-label={`Remove filter ${NAMES[name]} ${shown}`}
              onPress={() => look({ [name]: undefined })}
            >
              {/* With a space: the name that is heard must hold the text that is seen (WCAG 2.5.3). */}
              <span className="muted">{NAMES[name]}</span> <span className="filter-value">{shown}</span>{" "}
              <span aria-hidden="true">✕</span>
            </Button>
          </li>
        );
      })}
      <li>
        <Button
          look="quiet small"
          onPress={() => look(Object.fromEntries(set.map((name) => [name, undefined])))}
        >
          Clear all
        </Button>
      </li>
    </ul>
  );
}
