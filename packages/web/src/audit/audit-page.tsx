/** Find calls: filters, range, chart, list, live tail; a record opens beside the list. */
import { lazy, Suspense, useState } from "react";
import { refreshPage } from "../api-query.ts";
import { Button, Toggle } from "../control/button.tsx";
import { RangePicker } from "../control/range-picker.tsx";
import { Guarded } from "../guarded.tsx";
import { PageHead } from "../layout.tsx";
import { useMay } from "../me.ts";
import { ActiveFilters } from "./active-filters.tsx";
import { AuditChart } from "./audit-chart.tsx";
import { AuditResults } from "./audit-results.tsx";
import { ExportDialog } from "./export-dialog.tsx";
import { FilterBar } from "./filter-bar.tsx";
import { LiveTail } from "./live-tail.tsx";
import { Shortcuts } from "./shortcuts.tsx";
import { useAudit } from "./use-audit.ts";
import { ViewMenu } from "./view-menu.tsx";

const RecordDrawer = lazy(() => import("../record/record-drawer.tsx"));

function Audit() {
  const audit = useAudit();
  const { search, look, arrange, go, setZone, renew } = audit;
  const [exporting, setExporting] = useState(false);
  const mayExport = useMay("export.use");
  const live = search.live !== undefined;
  const again = () => {
    renew();
    void refreshPage();
    if (search.at !== undefined) look({});
  };
  return (
    <>
      <PageHead title="Audit">
        <Shortcuts />
        <Toggle isSelected={live} onChange={(on) => look({ live: on ? "1" : undefined, sort: undefined })}>
          Live tail
        </Toggle>
        {mayExport && <Button onPress={() => setExporting(true)}>Export</Button>}
        <RangePicker search={search} onChange={look} onZone={setZone} />
        <Button onPress={again} isDisabled={live}>
          Refresh
        </Button>
      </PageHead>
      <FilterBar audit={audit} />
      <ActiveFilters audit={audit} />
      <AuditChart audit={audit} />
      <section className="panel" aria-label="Calls found">
        <header>
          <fieldset className="row segments">
            <legend className="visually-hidden">Order</legend>
            <Toggle
              look="small"
              isSelected={search.sort !== "slowest"}
              onChange={() => look({ sort: undefined })}
            >
              Newest first
            </Toggle>
            <Toggle
              look="small"
              isSelected={search.sort === "slowest"}
              onChange={() => look({ sort: "slowest", live: undefined })}
            >
              Slowest first
            </Toggle>
          </fieldset>
          <ViewMenu audit={audit} />
        </header>
        {live ? <LiveTail audit={audit} /> : <AuditResults audit={audit} />}
      </section>
      <ExportDialog audit={audit} isOpen={exporting} onClose={() => setExporting(false)} />
      {search.record !== undefined && (
        <Suspense fallback={null}>
          <RecordDrawer
            id={search.record}
            receivedAt={search.recordAt}
            onClose={() => go({ record: undefined, recordAt: undefined })}
            onOther={(row) => arrange({ record: row.requestId, recordAt: row.receivedAt })}
          />
        </Suspense>
      )}
    </>
  );
}

export function AuditPage() {
  return (
    <Guarded permission="audit.read" title="Audit">
      <Audit />
    </Guarded>
  );
}
