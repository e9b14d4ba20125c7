/** Cuts a stream of server-sent events into its events, each with exactly the bytes that came. */
const NOTHING = Buffer.alloc(0);
/** An image in an event is large; what is larger than this is no event. */
const LARGEST_EVENT = 16 * 1024 * 1024;
/** The end of an event is an empty line (WHATWG HTML §9.2.6): two line ends, of three kinds. What a last CR is, the next byte says. */
const END = /(?:\r\n|\n|\r(?!\n|$))(?:\r\n|\n|\r(?!\n|$))/g;
/** A line end may be cut in two by the border of a chunk. */
const LONGEST_END = 4;

export class EventBlocks {
  #held: Buffer = NOTHING;
  /** Of what is held: known to have no event's end. */
  #read = 0;

  /** @throws RangeError for an event that is too large */
  push(chunk: Buffer): Buffer[] {
    const data = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    // One character a byte, so that offsets are the same.
    const text = data.toString("latin1", this.#read);
    const blocks: Buffer[] = [];
    let start = 0;
    for (const { 0: end, index } of text.matchAll(END)) {
      const stop = this.#read + index + end.length;
      blocks.push(data.subarray(start, stop));
      start = stop;
    }
    this.#held = data.subarray(start);
    this.#read = Math.max(0, this.#held.length - LONGEST_END);
    if (this.#held.length > LARGEST_EVENT) throw new RangeError("an event is too large to be checked");
    return blocks;
  }

  /** What came after the last event's end. */
  get rest(): Buffer {
    return this.#held;
  }
}
