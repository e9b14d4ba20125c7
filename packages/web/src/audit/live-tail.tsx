/** Calls as they come, newest first. Polls every two seconds; pausing keeps what is shown where it is. */
import type { Row } from "@central-llm/functions/api/contract-audit";
import { useEffect, useMemo, useRef, useState } from "react";
import { call } from "../api-client.ts";
import { ApiError } from "../api-error.ts";
import { Button } from "../control/button.tsx";
import { Empty, Failed, Loading } from "../control/state.tsx";
import * as Format from "../format.ts";
import { AuditTable, rowId } from "./audit-results.tsx";
import { filterOf, tailQuery } from "./audit-search.ts";
import type { AuditState } from "./use-audit.ts";

const EVERY_MS = 2_000;
/** Older ones are in the list. */
const MOST_ROWS = 500;

interface Tail {
  rows: Row[];
  /** More came than an answer may hold. */
  skipped: boolean;
  error: ApiError | null;
  started: boolean;
}
const NOTHING: Tail = { rows: [], skipped: false, error: null, started: false };

function useTail(audit: AuditState, paused: boolean): Tail {
  const [tail, setTail] = useState(NOTHING);
  const resume = useRef<string | undefined>(undefined);
  const key = JSON.stringify(filterOf(audit.search));
  // Other filters are another tail
  useEffect(() => {
    resume.current = undefined;
    setTail(NOTHING);
  }, [key]);
  // The key is the search's filters
  useEffect(() => {
    if (paused) return;
    const ending = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const poll = async () => {
      try {
        const query = { ...tailQuery(audit.search), since: resume.current };
        const answer = await call("tail", { query }, ending.signal);
        resume.current = answer.resume;
        setTail((before) => {
          const known = new Set(before.rows.map(rowId));
          const fresh = answer.rows.filter((row) => !known.has(rowId(row)));
          const rows = [...fresh, ...before.rows].sort((a, b) => (a.receivedAt < b.receivedAt ? 1 : -1));
          return {
            rows: rows.slice(0, MOST_ROWS),
            skipped: before.skipped || answer.skipped,
            error: null,
            started: true,
          };
        });
      } catch (error) {
        if (ending.signal.aborted) return;
        if (!(error instanceof ApiError)) throw error;
        setTail((before) => ({ ...before, error, started: true }));
      }
      if (!ending.signal.aborted) timer = setTimeout(poll, EVERY_MS);
    };
    void poll();
    return () => {
      ending.abort();
      clearTimeout(timer);
    };
  }, [key, paused]);
  return tail;
}

export function LiveTail({ audit }: { audit: AuditState }) {
  const [paused, setPaused] = useState(false);
  const tail = useTail(audit, paused);
  const shown = useMemo(() => tail.rows, [tail.rows]);
  return (
    <>
      <div className="live-bar">
        <span role="status">
          {paused ? "Paused" : "Live"} · {Format.counted(shown.length, "call")}
          {tail.skipped && " · some were left out: too many at once, narrow the filters"}
        </span>
        <div className="row">
          <Button onPress={() => setPaused(!paused)}>{paused ? "Resume" : "Pause"}</Button>
          <Button onPress={() => audit.look({ live: undefined })}>Stop</Button>
        </div>
      </div>
      {tail.error && <Failed error={tail.error} what="new calls; it is tried again" />}
      {!tail.started && <Loading what="the latest calls" rows={14} />}
      {tail.started && shown.length === 0 && !tail.error && (
        <Empty title="Waiting for calls.">
          <p>None has come yet that matches. They appear here within seconds.</p>
        </Empty>
      )}
      {shown.length > 0 && <AuditTable audit={audit} rows={shown} />}
    </>
  );
}
