/** A record by its permalink. */
import { getRouteApi } from "@tanstack/react-router";
import { Guarded } from "../guarded.tsx";
import { PageHead } from "../layout.tsx";
import { RecordView } from "./record-view.tsx";

const route = getRouteApi("/records/$id");

export function RecordPage() {
  const { id } = route.useParams();
  const { receivedAt } = route.useSearch();
  return (
    <Guarded permission="audit.read" title="Record">
      <PageHead title="Record" />
      <RecordView key={`${receivedAt}#${id}`} id={id} receivedAt={receivedAt} />
    </Guarded>
  );
}
