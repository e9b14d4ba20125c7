/** “Slowest” is a project's: asks which. */
import { useApi } from "../api-query.ts";
import { Button } from "../control/button.tsx";
import { Empty, Failed, Loading } from "../control/state.tsx";
import * as Format from "../format.ts";
import type { AuditState } from "./use-audit.ts";

export function ProjectChoice({ audit: { range, look } }: { audit: AuditState }) {
  const { data, error, refetch } = useApi("facets", {
    query: { from: range.from, to: range.to, fields: "project", limit: 20 },
  });
  if (error) return <Failed error={error} what="projects" onRetry={() => refetch()} />;
  if (!data) return <Loading what="projects" />;
  const projects = data.fields.project?.values ?? [];
  return (
    <Empty title="Whose slowest calls?">
      <p>Slowest first is kept for each project. Choose one, or name it in the filter above.</p>
      <ul className="row">
        {projects.map(({ value, requests }) => (
          <li key={value}>
            <Button onPress={() => look({ project: value })}>
              {value} <span className="muted">{Format.shortCount(requests)}</span>
            </Button>
          </li>
        ))}
      </ul>
      {projects.length === 0 && <p>No project made a call in this window.</p>}
      <Button look="quiet" onPress={() => look({ sort: undefined })}>
        Back to newest first
      </Button>
    </Empty>
  );
}
