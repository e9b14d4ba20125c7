/** Audit objects that could not become rows: why, and sending them through ingest again. */
import type { DeadLetter } from "@central-llm/functions/api/contract-dead-letter";
import { getRouteApi } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { Checkbox } from "react-aria-components/Checkbox";
import { useApi } from "../api-query.ts";
import { Button } from "../control/button.tsx";
import { type Column, DataTable } from "../control/data-table.tsx";
import { Choice, CommittedInput } from "../control/field.tsx";
import { Badge, Empty, Failed, Loading, Note } from "../control/state.tsx";
import * as Format from "../format.ts";
import { Guarded } from "../guarded.tsx";
import { PageHead } from "../layout.tsx";
import { useMay } from "../me.ts";
import { ShortTime } from "../zone-context.tsx";
import { CheckedHours } from "./checked-hours.tsx";
import { REASONS } from "./dead-letter-search.ts";
import { type Chosen, ReplayDialog } from "./replay-dialog.tsx";

const route = getRouteApi("/dead-letters");

const columns = (
  chosen: ReadonlySet<string>,
  toggle: (id: string) => void,
  replay: (ids: string[]) => void,
  mayReplay: boolean,
): Column<DeadLetter>[] => [
  {
    id: "object",
    header: "Object",
    width: 40,
    title: ({ objectKeys }) => objectKeys.join(", "),
    cell: ({ messageId, objectKeys }) => {
      const name = objectKeys.join(", ") || messageId;
      if (!mayReplay) return <code>{name}</code>;
      return (
        <Checkbox
          className="check"
          isSelected={chosen.has(messageId)}
          onChange={() => toggle(messageId)}
          aria-label={`Choose ${name}`}
        >
          <span className="box" aria-hidden="true">
            {chosen.has(messageId) ? "✓" : ""}
          </span>
          <code className="cut">{name}</code>
        </Checkbox>
      );
    },
  },
  {
    id: "reason",
    header: "Reason",
    width: 18,
    cell: ({ reason }) => <Badge tone="warn">{REASONS[reason]}</Badge>,
  },
  { id: "detail", header: "Detail", width: 26, cell: ({ detail }) => detail, title: ({ detail }) => detail },
  {
    id: "failed",
    zoned: true,
    header: "First failed",
    width: 20,
    cell: ({ firstFailedAt }) => <ShortTime iso={firstFailedAt} />,
  },
  {
    id: "receives",
    header: "Tries",
    width: 6,
    numeric: true,
    cell: ({ receives }) => Format.count(receives),
  },
  ...(mayReplay
    ? [
        {
          id: "replay",
          pinned: true,
          header: "Replay",
          width: 11,
          cell: ({ messageId, objectKeys }: DeadLetter) => (
            <Button
              look="small"
              aria-label={`Replay ${objectKeys.join(", ") || messageId}`}
              onPress={() => replay([messageId])}
            >
              Replay
            </Button>
          ),
        },
      ]
    : []),
];

function DeadLetters() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const mayReplay = useMay("dead-letter.replay");
  const mayCheck = useMay("reconcile.run");
  const query = { reason: search.reason, prefix: search.prefix, limit: 500 };
  const { data, error, refetch, isFetching } = useApi(
    "deadLetters",
    { query },
    { keep: true, staleTime: 5_000 },
  );
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [asked, setAsked] = useState<Chosen | null>(null);
  const shown = useMemo(() => {
    const toggle = (id: string) =>
      setChosen((before) => {
        const next = new Set(before);
        if (!next.delete(id)) next.add(id);
        return next;
      });
    return columns(chosen, toggle, (ids) => setAsked({ ids }), mayReplay);
  }, [chosen, mayReplay]);
  const letters = data?.letters ?? [];
  const still = letters.filter(({ messageId }) => chosen.has(messageId)).map(({ messageId }) => messageId);
  return (
    <>
      <PageHead title="Dead letters">
        <Button onPress={() => refetch()} isDisabled={isFetching}>
          Refresh
        </Button>
      </PageHead>
      <search className="panel filters" aria-label="Filters">
        <div className="filter-row">
          <Choice
            label="Reason"
            any="Any"
            options={REASONS}
            value={search.reason ?? null}
            onChange={(reason) =>
              navigate({ search: (search) => ({ ...search, reason: reason ?? undefined }) })
            }
          />
          <CommittedInput
            label="Object key starts with"
            placeholder="logs/2026/11/21/"
            value={search.prefix ?? ""}
            onCommit={(prefix) =>
              navigate({ search: (search) => ({ ...search, prefix: prefix || undefined }) })
            }
          />
        </div>
      </search>
      <section className="panel" aria-label="Dead letters found">
        <header>
          <span role="status">
            {data
              ? `${Format.counted(letters.length, "dead letter")}${data.complete ? "" : ` of about ${Format.count(data.approximateTotal)}`}`
              : "Loading …"}
          </span>
          {mayReplay && (
            <div className="row">
              <Button isDisabled={still.length === 0} onPress={() => setAsked({ ids: still })}>
                Replay chosen{still.length > 0 && ` (${still.length})`}
              </Button>
              <Button
                isDisabled={letters.length === 0}
                onPress={() => setAsked({ all: true, reason: search.reason, prefix: search.prefix })}
              >
                Replay all that match
              </Button>
            </div>
          )}
        </header>
        {data && !data.complete && (
          <Note tone="warn">
            Not all could be seen: the queue holds about {Format.count(data.approximateTotal)}. Narrow the
            filters, or replay and look again.
          </Note>
        )}
        {error && <Failed error={error} what="the dead letters" onRetry={() => refetch()} />}
        {!data && !error && <Loading what="dead letters" />}
        {data && letters.length === 0 && (
          <Empty title={search.reason || search.prefix ? "No dead letter matches." : "No dead letters."}>
            <p>{data.complete ? "The whole queue was seen." : "But not the whole queue was seen."}</p>
          </Empty>
        )}
        {letters.length > 0 && (
          <DataTable
            label="Dead letters"
            columns={shown}
            rows={letters}
            rowId={({ messageId }) => messageId}
          />
        )}
      </section>
      {/* Not before the letters are there, which would move it. */}
      {mayCheck && (data || error) && <CheckedHours />}
      {asked && (
        <ReplayDialog
          chosen={asked}
          onClose={() => {
            setAsked(null);
            setChosen(new Set());
          }}
        />
      )}
    </>
  );
}

export function DeadLettersPage() {
  return (
    <Guarded permission="dead-letter.read" title="Dead letters">
      <DeadLetters />
    </Guarded>
  );
}
