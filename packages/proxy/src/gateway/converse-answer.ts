/** A stream of Converse's events as one answer in a door's own shape. */
import type { ConverseResponse } from "@aws-sdk/client-bedrock-runtime";
import { ConverseAssembly } from "./converse-assembly.ts";
import type { Assembly } from "./model-route.ts";
import type { StreamEvent } from "./translation.ts";
import { eventsOf } from "./whole-stream.ts";

export class ConverseAnswer implements Assembly<StreamEvent> {
  readonly #assembly = new ConverseAssembly();
  readonly #json: (output: ConverseResponse) => object;

  /** @param json the door's shape of an answer that is not streamed */
  constructor(json: (output: ConverseResponse) => object) {
    this.#json = json;
  }

  get characters(): number {
    return this.#assembly.characters;
  }

  add(event: StreamEvent): void {
    this.#assembly.add(event);
  }

  whole(): object {
    return this.#json(this.#assembly.whole());
  }

  condensed(): Iterable<StreamEvent> {
    return eventsOf(this.#assembly.whole());
  }
}
