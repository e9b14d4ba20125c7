/**
 * What keys' own aliases stood for lately. Which model an alias means is known when the request is admitted; what it must reserve
 * has to be known before. So the first such request of a key is admitted twice, the further ones by what is remembered here.
 */
const MOST = 10_000;

export class KeyAliases {
  readonly #aliases = new Map<string, string>();

  recall(token: string, model: string): string | null {
    return this.#aliases.get(`${token}\0${model}`) ?? null;
  }

  /** @param alias null: there is none any more */
  remember(token: string, model: string, alias: string | null): void {
    const name = `${token}\0${model}`;
    if (alias === null) return void this.#aliases.delete(name);
    if (this.#aliases.get(name) === alias) return;
    if (this.#aliases.size >= MOST) this.#aliases.clear();
    this.#aliases.set(name, alias);
  }
}
