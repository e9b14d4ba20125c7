/** LiteLLM's answer as the audit keeps it: what personal data and secrets are in it is replaced. */
import { type KeptBody, keptJson, NO_BODY } from "../gateway/audited-call.ts";
import type { PiiGuard } from "../gateway/pii-guard.ts";
import { GatheredBytes } from "../gathered-bytes.ts";
import type { BufferBudget } from "../request-body.ts";
import { assembleStream, parseObject } from "../stream-assembly.ts";
import type { Json } from "./said.ts";
import { withoutSecrets } from "./without-secrets.ts";

/** `none`: may hold a key. `checked`: the filter has made it ready. The others say what the gathered bytes are. */
type Form = "none" | "checked" | "error" | "numbers" | "stream";

export class KeptAnswer {
  readonly #limit: number;
  readonly #guard: PiiGuard;
  readonly #budget: BufferBudget;
  readonly #gathered = new GatheredBytes();
  #taken = 0;
  #truncated = false;
  #checked: unknown = null;
  form: Form = "none";

  /** @param limit bytes that are kept */
  constructor(limit: number, guard: PiiGuard, budget: BufferBudget) {
    this.#limit = limit;
    this.#guard = guard;
    this.#budget = budget;
  }

  /** What came of LiteLLM. */
  add(chunk: Buffer): void {
    const room = this.#limit - this.#gathered.length;
    if (chunk.length > room) this.#truncated = true;
    if (room <= 0) return;
    this.#gathered.add(chunk.subarray(0, room), 0);
    // It has begun and is not refused: its memory counts against the requests to come.
    this.#budget.used += this.#gathered.held - this.#taken;
    this.#taken = this.#gathered.held;
  }

  /** Gives its memory back to the budget. */
  release(): void {
    this.#budget.give(this.#taken);
    this.#taken = 0;
    this.#gathered.clear();
  }

  /** An answer that the filter has read, with what it found replaced. */
  check(body: unknown): void {
    this.form = "checked";
    this.#checked = body;
  }

  /** An error's body, where it is JSON. */
  get json(): Json | null {
    return this.#truncated ? null : parseObject(this.#gathered.bytes.toString("utf8"));
  }

  /** @param sent sha256 of what the client was sent @param hasFindings the filter found something in it */
  kept(sent: string, hasFindings: boolean): KeptBody {
    switch (this.form) {
      case "none":
        return { bytes: null, kind: "none" };
      case "checked":
        return keptJson(this.#checked, this.#limit, hasFindings ? null : sent);
      case "numbers":
        return this.#numbers(sent);
      case "error":
        return this.#error();
      case "stream":
        return this.#stream(hasFindings ? null : sent);
    }
  }

  #numbers(sent: string): KeptBody {
    if (this.#gathered.length === 0) return { bytes: null, kind: "none" };
    const held = { sha256: sent, truncated: this.#truncated };
    return { bytes: this.#gathered.bytes, kind: "json", held };
  }

  /** Providers repeat parts of the prompt in their errors, and LiteLLM parts of the key. */
  #error(): KeptBody {
    if (this.#gathered.length === 0) return { bytes: null, kind: "none" };
    if (this.#truncated) return NO_BODY;
    const checked = this.#guard.forAudit(withoutSecrets(this.json ?? this.#gathered.bytes.toString("utf8")));
    return checked === null ? NO_BODY : keptJson(checked, this.#limit, null);
  }

  #stream(sent: string | null): KeptBody {
    if (this.#gathered.length === 0) return { bytes: null, kind: "none" };
    const assembled = assembleStream(this.#gathered.bytes.toString("utf8"));
    const checked = assembled === null ? null : this.#guard.forAudit(assembled);
    if (checked === null) return NO_BODY;
    const kept = keptJson(checked, this.#limit, sent);
    return this.#truncated ? { ...kept, held: { sha256: sent, truncated: true } } : kept;
  }
}
