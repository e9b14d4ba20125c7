/**
 * Do a writer's objects follow each other? Each holds the sha256 of the one stored before it. Objects come nearly in the order
 * of their numbers, so only links whose other end has not come yet are kept.
 */
import type { Findings } from "./finding.ts";
import { SequenceSet } from "./sequence-set.ts";

export interface Link {
  key: string;
  sequence: number;
  sha256: string;
  /** Undefined when the object itself cannot be believed any more: its digest says the hash, nothing says what it held. */
  previousHash: string | null | undefined;
  /** False for an object that is in no digest yet: the one before it may still be on its way. */
  settled: boolean;
}

interface Waiting {
  key: string;
  previousHash: string | null;
}

class Chain {
  readonly seen = new SequenceSet();
  /** What an earlier digest knows: lower numbers may be in digests that are not looked at. */
  before = 0;
  /** Hashes whose successor has not come. */
  readonly hashes = new Map<number, string>();
  /** Objects whose predecessor has not come. */
  readonly waiting = new Map<number, Waiting>();
}

export class WriterChains {
  readonly #chains = new Map<string, Chain>();
  readonly #findings: Findings;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** The last number that an earlier digest knows of the writer. */
  headBefore(writer: string, sequence: number, sha256: string): void {
    const chain = this.#of(writer);
    chain.hashes.set(sequence, sha256);
    chain.seen.add(sequence);
    chain.before = sequence;
  }

  add(writer: string, { key, sequence, sha256, previousHash, settled }: Link): void {
    const chain = this.#of(writer);
    if (chain.seen.missing(sequence, sequence).length === 0) {
      this.#findings.add("reordered", key, `number ${sequence} of writer ${writer} exists twice`);
      return;
    }
    chain.seen.add(sequence);
    if (previousHash !== undefined) this.#backward(chain, { key, previousHash }, sequence, settled);
    const successor = chain.waiting.get(sequence + 1);
    if (successor === undefined) {
      chain.hashes.set(sequence, sha256);
      return;
    }
    chain.waiting.delete(sequence + 1);
    this.#compare(successor, sha256);
  }

  #backward(chain: Chain, link: Waiting, sequence: number, settled: boolean): void {
    const before = chain.hashes.get(sequence - 1);
    if (sequence === 1) {
      if (link.previousHash !== null)
        this.#findings.add("reordered", link.key, "it is its writer's first and names one before");
    } else if (before !== undefined) {
      chain.hashes.delete(sequence - 1);
      this.#compare(link, before);
    } else if (settled) {
      chain.waiting.set(sequence, link);
    }
  }

  #compare({ key, previousHash }: Waiting, before: string): void {
    if (previousHash !== before)
      this.#findings.add("reordered", key, "it does not hold the hash of its writer's object before it");
  }

  /** Once all objects have been added: what is left open. */
  end(): void {
    for (const [writer, { before, seen, hashes, waiting }] of this.#chains) {
      const least = seen.ranges[0]?.[0] ?? 0;
      for (const [sequence, link] of [...waiting].sort(([a], [b]) => a - b)) {
        const gapFrom = seen.missing(least, sequence - 1).at(-1)?.[0];
        // Its predecessor lies before what is verified.
        if (gapFrom === undefined || sequence <= before) continue;
        const numbers =
          gapFrom === sequence - 1 ? `number ${gapFrom}` : `numbers ${gapFrom} to ${sequence - 1}`;
        // A writer that lost a record chains over it; who takes an object away cannot.
        if (hashes.get(gapFrom - 1) === link.previousHash)
          this.#findings.add("lost", writer, `${numbers}: the chain goes on without it`);
        else this.#findings.add("missing", writer, `${numbers}, before ${link.key}`);
      }
    }
  }

  #of(writer: string): Chain {
    let chain = this.#chains.get(writer);
    if (chain === undefined) {
      chain = new Chain();
      this.#chains.set(writer, chain);
    }
    return chain;
  }
}
