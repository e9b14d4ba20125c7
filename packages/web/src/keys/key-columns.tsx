/** The columns of the table of keys. */
import type { Key } from "@central-llm/functions/api/contract-key";
import { Button } from "../control/button.tsx";
import type { Column } from "../control/data-table.tsx";
import { Badge } from "../control/state.tsx";
import * as Format from "../format.ts";
import * as TimeZone from "../time-zone.ts";
import type { Wanted } from "./key-action.tsx";

export const keyName = (key: Key) => key.alias ?? key.name ?? key.keyId.slice(0, 12);

const limit = (value: number | null) => (value === null ? "any" : Format.count(value));

function State({ of }: { of: Key }) {
  if (of.blocked) return <Badge tone="bad">Blocked</Badge>;
  if (of.expiresAt && Date.parse(of.expiresAt) < Date.now()) return <Badge>Expired</Badge>;
  return <Badge tone="good">Active</Badge>;
}

interface Changes {
  onEdit(key: Key): void;
  onAction(wanted: Wanted): void;
}

export const keyColumns = (changes: Changes | null): Column<Key>[] => [
  {
    id: "alias",
    header: "Key",
    width: 20,
    title: ({ keyId }) => `sha256 ${keyId}`,
    cell: (key) => (
      <>
        <strong>{keyName(key)}</strong> {key.name && <code className="muted">{key.name}</code>}
      </>
    ),
  },
  { id: "state", header: "State", width: 9, cell: (key) => <State of={key} /> },
  {
    id: "owner",
    header: "User and team",
    width: 15,
    title: ({ userId, teamId }) => [userId, teamId].filter(Boolean).join(", "),
    cell: ({ userId, teamId }) => [userId, teamId].filter(Boolean).join(", ") || "–",
  },
  {
    id: "models",
    header: "Models",
    width: 9,
    title: ({ models }) => models.join(", "),
    cell: ({ models }) => (models.length === 0 ? "all" : models.join(", ")),
  },
  {
    id: "budget",
    header: "Spend of budget",
    width: 19,
    numeric: true,
    cell: ({ spendUsd, maxBudgetUsd, budgetDuration }) =>
      maxBudgetUsd === null
        ? `${Format.dollars(spendUsd)}, no budget`
        : `${Format.dollars(spendUsd)} of ${Format.dollars(maxBudgetUsd)}${budgetDuration ? ` / ${budgetDuration}` : ""}`,
  },
  {
    id: "limits",
    header: "Calls / tokens a minute",
    width: 13,
    cell: ({ rpmLimit, tpmLimit }) => `${limit(rpmLimit)} / ${limit(tpmLimit)}`,
  },
  {
    id: "expires",
    header: "Expires",
    width: 8,
    title: ({ expiresAt }) => expiresAt,
    cell: ({ expiresAt }) => (expiresAt ? TimeZone.relative(expiresAt) : "never"),
  },
  ...(changes
    ? [
        {
          id: "actions",
          pinned: true,
          header: "Actions",
          width: 27,
          cell: (key: Key) => (
            <span className="badges">
              <Button
                look="small"
                aria-label={`Limits of ${keyName(key)}`}
                onPress={() => changes.onEdit(key)}
              >
                Limits
              </Button>
              <Button
                look="small"
                aria-label={`Rotate ${keyName(key)}`}
                onPress={() => changes.onAction({ key, action: "rotateKey" })}
              >
                Rotate
              </Button>
              <Button
                look="small"
                aria-label={`${key.blocked ? "Unblock" : "Block"} ${keyName(key)}`}
                onPress={() => changes.onAction({ key, action: key.blocked ? "unblockKey" : "blockKey" })}
              >
                {key.blocked ? "Unblock" : "Block"}
              </Button>
            </span>
          ),
        },
      ]
    : []),
];
