/** What `verify` finds: one line for each thing that is not as it was digested. */

export const FINDINGS = {
  digest_missing: "Digests that are missing",
  digest_invalid: "Digests that are not what was signed",
  part_missing: "Lists of digests that are missing",
  part_changed: "Lists of digests that were changed",
  changed: "Objects that were changed",
  deleted: "Objects that were deleted",
  added: "Objects that no digest knows",
  missing: "Objects that a writer chained and that are not there",
  reordered: "Objects that do not follow their writer's chain",
  lost: "Numbers that a writer gave and never stored",
} as const;
export type FindingKind = keyof typeof FINDINGS;

export interface Finding {
  kind: FindingKind;
  /** The object's or digest's key; a writer's name for `lost`. */
  name: string;
  detail: string;
}

export const MAX_LISTED = 1_000;

export class Findings {
  readonly listed: Finding[] = [];
  readonly counts: Partial<Record<FindingKind, number>> = {};
  readonly #heard: ((finding: Finding) => void) | undefined;

  constructor(heard?: (finding: Finding) => void) {
    this.#heard = heard;
  }

  add(kind: FindingKind, name: string, detail: string): void {
    const finding = { kind, name, detail };
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
    if (this.listed.length < MAX_LISTED) this.listed.push(finding);
    this.#heard?.(finding);
  }

  /** Nothing but losses: a number without an object is for `reconcile`, and proves no change. */
  get untouched(): boolean {
    return Object.keys(this.counts).every((kind) => kind === "lost");
  }
}
