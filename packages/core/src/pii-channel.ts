/** One text that arrives in pieces: releases what is decided, holds back the smallest end that is not. */
import { type Action, type Entity, type Match, placeholderOf } from "./pii-entity.ts";
import type { PiiPolicy } from "./pii-policy.ts";
import { Scan } from "./pii-scan.ts";
import { CONTEXT, foldText, type PiiText, plainText } from "./pii-text.ts";

/** Released text that is kept for the detectors to look back on: the longest local part and a label before it. */
const KEPT = 2 * CONTEXT + 64;

export interface Release {
  text: string;
  /** The values that are decided now, by entity and action. */
  found: { entity: Entity; action: Action }[];
  blocked: boolean;
}

export class PiiChannel {
  readonly #policy: PiiPolicy;
  readonly #changes: (entity: Entity) => boolean;
  /** Text that is kept for context, then text that is held or undecided. The numbers below are offsets in it. */
  #raw = "";
  #released = 0;
  #undecided = 0;
  #floor = 0;
  #folds = false;

  constructor(policy: PiiPolicy) {
    this.#policy = policy;
    this.#changes = (entity) => policy[entity] !== "flag";
  }

  /** How many UTF-16 units are held back. */
  get held(): number {
    return this.#raw.length - this.#released;
  }

  /** @param isLast the text ends here: everything is decided */
  push(piece: string, isLast: boolean): Release {
    this.#raw += piece;
    const isCut = !isLast && (this.#raw.charCodeAt(this.#raw.length - 1) & 0xfc00) === 0xd800;
    const raw = isCut ? this.#raw.slice(0, -1) : this.#raw;
    const [text, scan] = this.#scan(raw, isLast);
    const open = scan.openEnd();
    const release = this.#release(raw, text, scan.matches);
    if (release.blocked) return release;
    const hold = open.hold === text.length ? raw.length : text.rawIndex(open.hold);
    if (hold > this.#released) {
      release.text += raw.slice(this.#released, hold);
      this.#released = hold;
    }
    this.#undecided = text.rawIndex(open.undecided);
    this.#forget(text);
    return release;
  }

  #scan(raw: string, isLast: boolean): [PiiText, Scan] {
    const changes = isLast ? null : this.#changes;
    if (!this.#folds) {
      const text = plainText(raw);
      const scan = new Scan(text, this.#undecided, this.#floor, changes);
      if (!scan.needsFolding) return [text, scan];
      this.#folds = true;
    }
    const text = foldText(raw);
    return [text, new Scan(text, text.indexOfRaw(this.#undecided), text.indexOfRaw(this.#floor), changes)];
  }

  #release(raw: string, text: PiiText, matches: readonly Match[]): Release {
    const release: Release = { text: "", found: [], blocked: false };
    for (const { entity, start, end } of matches) {
      const action = this.#policy[entity];
      release.found.push({ entity, action });
      this.#floor = text.rawEnd(end, raw);
      if (action === "flag") continue;
      const from = text.rawIndex(start);
      // The rule by which text is held back would be wrong: better no answer than a leak.
      if (from < this.#released) throw new Error("a value was found in text that was already released");
      release.text += raw.slice(this.#released, from);
      this.#released = this.#floor;
      if (action === "block") {
        release.blocked = true;
        return release;
      }
      release.text += placeholderOf(entity);
    }
    return release;
  }

  #forget(text: PiiText): void {
    const oldest = text.indexOfRaw(Math.min(this.#released, this.#undecided)) - KEPT;
    // Not at every piece: cutting a string costs more than a little memory.
    if (oldest < KEPT) return;
    const cut = text.rawIndex(oldest);
    this.#raw = this.#raw.slice(cut);
    this.#released -= cut;
    this.#undecided -= cut;
    this.#floor = Math.max(0, this.#floor - cut);
  }
}
