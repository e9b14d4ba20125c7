/** Makes a key, or changes one's limits. An empty limit is no limit. */
import type { Key, KeyChange, KeySecret } from "@central-llm/functions/api/contract-key";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { call } from "../api-client.ts";
import type { ApiError } from "../api-error.ts";
import { refresh } from "../api-query.ts";
import { Button } from "../control/button.tsx";
import { Dialog } from "../control/dialog.tsx";
import { TextInput } from "../control/field.tsx";
import { Failed } from "../control/state.tsx";
import { keyName } from "./key-columns.tsx";
import { Secret } from "./secret.tsx";

const FIELDS = {
  alias: { label: "Alias", description: "What people call it" },
  userId: { label: "User", description: "Whose it is" },
  teamId: { label: "Team", description: "" },
  duration: { label: "Lives for", description: "Such as 30d or 12h; empty: for ever" },
  models: { label: "Models", description: "Separated by commas; empty: all" },
  maxBudgetUsd: { label: "Budget ($)", description: "Empty: no limit" },
  budgetDuration: { label: "Budget starts anew every", description: "Such as 30d or 1mo; empty: never" },
  rpmLimit: { label: "Calls a minute", description: "Empty: no limit" },
  tpmLimit: { label: "Tokens a minute", description: "Empty: no limit" },
  maxParallelRequests: { label: "Calls at once", description: "Empty: no limit" },
} as const;
type Field = keyof typeof FIELDS;
type Draft = Record<Field, string>;

const NEW_ONLY: readonly Field[] = ["userId", "teamId", "duration"];
const COUNTS: readonly Field[] = ["rpmLimit", "tpmLimit", "maxParallelRequests"];
const DURATION = /^[1-9]\d{0,5}(mo|[smhdw])$/;

function draftOf(key: Key | null): Draft {
  const text = (value: unknown) => (value === null || value === undefined ? "" : String(value));
  return {
    alias: text(key?.alias),
    userId: "",
    teamId: "",
    duration: "",
    models: key?.models.join(", ") ?? "",
    maxBudgetUsd: text(key?.maxBudgetUsd),
    budgetDuration: text(key?.budgetDuration),
    rpmLimit: text(key?.rpmLimit),
    tpmLimit: text(key?.tpmLimit),
    maxParallelRequests: text(key?.maxParallelRequests),
  };
}

/** What is wrong with a field, in words; null when nothing is. */
function wrong(field: Field, text: string): string | null {
  const value = text.trim();
  if (field === "alias") return value === "" ? "A key needs an alias." : null;
  if (value === "") return null;
  if (COUNTS.includes(field)) return /^\d{1,12}$/.test(value) ? null : "A whole number, or nothing.";
  if (field === "maxBudgetUsd")
    return /^\d+(\.\d+)?$/.test(value) ? null : "Dollars such as 25 or 0.5, or nothing.";
  if (field === "duration" || field === "budgetDuration") {
    return DURATION.test(value) ? null : "A number and a unit: 30s, 15m, 12h, 30d, 2w or 1mo.";
  }
  return null;
}

function changeOf(draft: Draft): KeyChange & { alias: string } {
  const number = (text: string) => (text.trim() === "" ? null : Number(text));
  return {
    alias: draft.alias.trim(),
    models: draft.models
      .split(",")
      .map((model) => model.trim())
      .filter((model) => model !== ""),
    maxBudgetUsd: number(draft.maxBudgetUsd),
    budgetDuration: draft.budgetDuration.trim() || null,
    rpmLimit: number(draft.rpmLimit),
    tpmLimit: number(draft.tpmLimit),
    maxParallelRequests: number(draft.maxParallelRequests),
  };
}

export function KeyForm({ of, onClose }: { of: Key | null; onClose(): void }) {
  const [draft, setDraft] = useState(() => draftOf(of));
  const [tried, setTried] = useState(false);
  const shown = (Object.keys(FIELDS) as Field[]).filter((field) => of === null || !NEW_ONLY.includes(field));
  const isWrong = shown.some((field) => wrong(field, draft[field]) !== null);
  const save = useMutation<KeySecret | { key: Key }, ApiError>({
    mutationFn: () => {
      const change = changeOf(draft);
      if (of) return call("changeKey", { params: { id: of.keyId }, body: change });
      const own = {
        userId: draft.userId.trim(),
        teamId: draft.teamId.trim(),
        duration: draft.duration.trim(),
      };
      const given = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== ""));
      return call("createKey", { body: { ...change, ...given } });
    },
    onSuccess: async (answer) => {
      await refresh("keys", "budgets");
      if (!("secret" in answer)) onClose();
    },
  });
  if (save.data && "secret" in save.data)
    return <Secret secret={save.data.secret} name={draft.alias} onClose={onClose} />;
  return (
    <Dialog title={of ? `Limits of ${keyName(of)}` : "Create key"} isOpen onClose={onClose}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          setTried(true);
          if (!isWrong) save.mutate();
        }}
      >
        <div className="columns narrow">
          {shown.map((field) => {
            const problem = tried ? wrong(field, draft[field]) : null;
            return (
              <TextInput
                key={field}
                {...FIELDS[field]}
                value={draft[field]}
                onChange={(value) => setDraft((before) => ({ ...before, [field]: value }))}
                isInvalid={problem !== null}
                problem={problem}
              />
            );
          })}
        </div>
        {save.error && <Failed error={save.error} what={of ? "the change" : "the new key"} />}
        <div className="row end">
          <Button onPress={onClose}>Cancel</Button>
          <Button type="submit" look="primary" isDisabled={save.isPending}>
            {of ? "Save" : "Create"}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
