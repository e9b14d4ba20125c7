/**
 * What the local issuer remembers of sign-ins: sessions, codes, refresh tokens. In memory, until they expire or the process ends; then
 * people sign in again. oidc-provider's own memory is not for use outside of trials, as it says at each start.
 */
import type { Adapter, AdapterFactory, AdapterPayload } from "oidc-provider";

interface Entry {
  payload: AdapterPayload;
  /** Epoch milliseconds. */
  expiresAt: number;
}

/** A store for one provider, which asks for an adapter for each kind of thing (`Session`, `RefreshToken` …). */
export function issuerStore(): AdapterFactory {
  return () => new MemoryAdapter();
}

class MemoryAdapter implements Adapter {
  readonly #entries = new Map<string, Entry>();

  /** @param expiresIn seconds; absent: it stays */
  async upsert(id: string, payload: AdapterPayload, expiresIn = Number.POSITIVE_INFINITY): Promise<void> {
    const now = Date.now();
    for (const [known, { expiresAt }] of this.#entries) if (expiresAt <= now) this.#entries.delete(known);
    this.#entries.set(id, { payload, expiresAt: now + expiresIn * 1000 });
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    const entry = this.#entries.get(id);
    return entry && entry.expiresAt > Date.now() ? entry.payload : undefined;
  }

  findByUid(uid: string): Promise<AdapterPayload | undefined> {
    return this.#findBy((payload) => payload.uid === uid);
  }

  findByUserCode(userCode: string): Promise<AdapterPayload | undefined> {
    return this.#findBy((payload) => payload.userCode === userCode);
  }

  async consume(id: string): Promise<void> {
    const payload = await this.find(id);
    if (payload) payload.consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id: string): Promise<void> {
    this.#entries.delete(id);
  }

  async revokeByGrantId(grantId: string): Promise<void> {
    for (const [id, { payload }] of this.#entries) if (payload.grantId === grantId) this.#entries.delete(id);
  }

  async #findBy(is: (payload: AdapterPayload) => boolean): Promise<AdapterPayload | undefined> {
    const now = Date.now();
    return [...this.#entries.values()].find(({ payload, expiresAt }) => expiresAt > now && is(payload))
      ?.payload;
  }
}
