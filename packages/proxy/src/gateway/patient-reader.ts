/** Reads an iterator that may fall silent: each wait has a limit, and a caller who leaves ends the wait. */
import { tooSlow } from "./upstream-error.ts";

export class PatientReader<T> {
  readonly #items: AsyncIterator<T>;
  readonly #idleMs: number;
  readonly #aborted: AbortSignal;
  /** One timer for all waits: a stream has hundreds. */
  #timer: NodeJS.Timeout | undefined;
  #giveUp: (reason: unknown) => void = () => {};

  constructor(items: AsyncIterator<T>, idleMs: number, aborted: AbortSignal) {
    this.#items = items;
    this.#idleMs = idleMs;
    this.#aborted = aborted;
    aborted.addEventListener("abort", this.#stop, { once: true });
  }

  /** The first item has the limit of the whole answer's beginning, which is the caller's to set. */
  first(): Promise<IteratorResult<T>> {
    return this.#wait();
  }

  next(): Promise<IteratorResult<T>> {
    // Between two waits it may fire in vain: the reader's own slowness is not the provider's.
    if (this.#timer) this.#timer.refresh();
    else this.#timer = setTimeout(() => this.#giveUp(tooSlow("idle_timeout")), this.#idleMs);
    return this.#wait();
  }

  #wait(): Promise<IteratorResult<T>> {
    return new Promise((resolve, reject) => {
      this.#giveUp = reject;
      if (this.#aborted.aborted) this.#stop();
      this.#items.next().then(resolve, reject);
    });
  }

  /** @param ended whether the iterator came to its end; else it is told to stop */
  close(ended: boolean): void {
    clearTimeout(this.#timer);
    this.#aborted.removeEventListener("abort", this.#stop);
    if (!ended) this.#items.return?.().catch(() => {}); // The call is being ended: nothing is left to hear.
  }

  readonly #stop = () => this.#giveUp(new DOMException("The call was given up", "AbortError"));
}
