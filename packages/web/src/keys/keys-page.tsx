/** The gateway's virtual keys: limits, spend, state; for admins to make, change, rotate and block. */
import type { Key } from "@central-llm/functions/api/contract-key";
import { getRouteApi } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { useApi } from "../api-query.ts";
import { Button } from "../control/button.tsx";
import { DataTable } from "../control/data-table.tsx";
import { CommittedInput } from "../control/field.tsx";
import { Empty, Failed, Loading } from "../control/state.tsx";
import * as Format from "../format.ts";
import { Guarded } from "../guarded.tsx";
import { PageHead } from "../layout.tsx";
import { useMay } from "../me.ts";
import { KeyAction, type Wanted } from "./key-action.tsx";
import { keyColumns } from "./key-columns.tsx";
import { KeyForm } from "./key-form.tsx";

const route = getRouteApi("/keys");

function Keys() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const mayWrite = useMay("key.write");
  const [editing, setEditing] = useState<Key | "new" | null>(null);
  const [wanted, setWanted] = useState<Wanted | null>(null);
  const { data, error, refetch } = useApi(
    "keys",
    { query: { ...search, size: 50 } },
    { keep: true, staleTime: 5_000 },
  );
  const columns = useMemo(
    () => keyColumns(mayWrite ? { onEdit: setEditing, onAction: setWanted } : null),
    [mayWrite],
  );
  const set = (name: "user" | "team" | "alias") => (value: string) =>
    navigate({ search: (search) => ({ ...search, page: undefined, [name]: value || undefined }) });
  const toPage = (page: number) =>
    navigate({ search: (search) => ({ ...search, page: page === 1 ? undefined : String(page) }) });
  return (
    <>
      <PageHead title="Keys">
        {mayWrite && (
          <Button look="primary" onPress={() => setEditing("new")}>
            Create key
          </Button>
        )}
      </PageHead>
      <search className="panel filters" aria-label="Filters">
        <div className="filter-row">
          <CommittedInput
            label="Alias"
            placeholder="Any"
            value={search.alias ?? ""}
            onCommit={set("alias")}
          />
          <CommittedInput label="User" placeholder="Any" value={search.user ?? ""} onCommit={set("user")} />
          <CommittedInput label="Team" placeholder="Any" value={search.team ?? ""} onCommit={set("team")} />
        </div>
      </search>
      <section className="panel" aria-label="Keys found">
        {error && <Failed error={error} what="the keys" onRetry={() => refetch()} />}
        {!data && !error && <Loading what="keys" />}
        {data && data.keys.length === 0 && (
          <Empty title={search.alias || search.user || search.team ? "No key matches." : "No keys yet."} />
        )}
        {data && data.keys.length > 0 && (
          <DataTable
            label="Keys"
            columns={columns}
            rows={data.keys}
            rowId={({ keyId }) => keyId}
            density="comfortable"
          />
        )}
        {data && (
          <div className="pager">
            <span role="status">
              {Format.counted(data.total, "key")}, page {data.page} of {Math.max(1, data.pages)}
            </span>
            <nav className="row" aria-label="Pages of keys">
              <Button isDisabled={data.page <= 1} onPress={() => toPage(data.page - 1)}>
                Previous
              </Button>
              <Button isDisabled={data.page >= data.pages} onPress={() => toPage(data.page + 1)}>
                Next page
              </Button>
            </nav>
          </div>
        )}
      </section>
      {editing !== null && (
        <KeyForm of={editing === "new" ? null : editing} onClose={() => setEditing(null)} />
      )}
      {wanted !== null && <KeyAction wanted={wanted} onClose={() => setWanted(null)} />}
    </>
  );
}

export function KeysPage() {
  return (
    <Guarded permission="key.read" title="Keys">
      <Keys />
    </Guarded>
  );
}
