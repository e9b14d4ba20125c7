/** The Audit page's state: its address, the range that it stands for now, and ways to change it. */
import { getRouteApi } from "@tanstack/react-router";
import { useCallback, useMemo, useState } from "react";
import * as TimeRange from "../time-range.ts";
import type { Zone } from "../time-zone.ts";
import { useZone } from "../zone-context.tsx";
import { type AuditSearch, changed } from "./audit-search.ts";

const route = getRouteApi("/audit");

export interface AuditState {
  search: AuditSearch;
  range: TimeRange.Range;
  /** Looks for something else: starts at the first page. */
  look(change: Partial<AuditSearch>): void;
  /** Shows the same rows otherwise: no new entry in the history. */
  arrange(change: Partial<AuditSearch>): void;
  /** Opens something over or beside the list; the back button closes it. */
  go(change: Partial<AuditSearch>): void;
  setZone(zone: Zone): void;
  /** Counts presets from now again. */
  renew(): void;
}

export function useAudit(): AuditState {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const zone = useZone();
  const [now, setNow] = useState(Date.now);
  const { last, from, to, at } = search;
  const range = useMemo(
    () => TimeRange.resolve({ last, from, to, at }, zone, now),
    [last, from, to, at, zone, now],
  );
  const look = useCallback(
    (change: Partial<AuditSearch>) => {
      setNow(Date.now());
      navigate({ search: (search) => ({ ...search, ...changed(search, change) }) });
    },
    [navigate],
  );
  const arrange = useCallback(
    (change: Partial<AuditSearch>) =>
      void navigate({ search: (search) => ({ ...search, ...change }), replace: true, resetScroll: false }),
    [navigate],
  );
  const go = useCallback(
    (change: Partial<AuditSearch>) =>
      void navigate({ search: (search) => ({ ...search, ...change }), resetScroll: false }),
    [navigate],
  );
  const setZone = useCallback(
    (zone: Zone) =>
      void navigate({
        search: (search) => ({ ...search, utc: zone === "utc" ? ("1" as const) : undefined }),
        replace: true,
      }),
    [navigate],
  );
  const renew = useCallback(() => setNow(Date.now()), []);
  return { search, range, look, arrange, go, setZone, renew };
}
