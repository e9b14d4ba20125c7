/** Who was admitted lately, and for which model: for the policy that serves known keys while the database is away. */
import type { CallContext } from "./call-context.ts";

interface Asked {
  token: string;
  model: string;
}

const MAX_KNOWN = 10_000;
const KNOWN_FOR_MS = 600_000;
const nameOf = ({ token, model }: Asked) => `${token}\0${model}`;

export class KnownCallers {
  readonly #known = new Map<string, { call: CallContext; at: number }>();

  remember(asked: Asked, call: CallContext): void {
    const name = nameOf(asked);
    this.#known.delete(name);
    this.#known.set(name, { call, at: performance.now() });
    const oldest = this.#known.keys().next().value;
    if (this.#known.size > MAX_KNOWN && oldest !== undefined) this.#known.delete(oldest);
  }

  forget(asked: Asked): void {
    this.#known.delete(nameOf(asked));
  }

  recall(asked: Asked): CallContext | null {
    const known = this.#known.get(nameOf(asked));
    return known && performance.now() - known.at < KNOWN_FOR_MS ? known.call : null;
  }
}
