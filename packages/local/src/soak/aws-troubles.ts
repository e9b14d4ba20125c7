/** What goes wrong at the AWS endpoint's process, ordered over its channel by several faults at a time. */
import type { ChildProcess } from "node:child_process";
import type { FaultPlan } from "../aws-fault-order.ts";

export interface Trouble {
  plans?: FaultPlan[];
  /** The endpoint's clock against ours. */
  clockMs?: number;
}

export class AwsTroubles {
  readonly #endpoint: ChildProcess;
  readonly #troubles = new Map<string, Trouble>();
  #orders = 0;

  constructor(endpoint: ChildProcess) {
    this.#endpoint = endpoint;
  }

  /** Puts it in place of what was under this name. Resolves when it is in force, together with what is under other names. */
  async set(name: string, trouble: Trouble): Promise<void> {
    this.#troubles.set(name, trouble);
    const all = [...this.#troubles.values()];
    const number = ++this.#orders;
    const endpoint = this.#endpoint;
    const done = new Promise<void>((resolve) => {
      const hear = (message: unknown) => {
        if ((message as { done?: number }).done !== number) return;
        endpoint.off("message", hear);
        resolve();
      };
      endpoint.on("message", hear);
    });
    endpoint.send({
      number,
      plans: all.flatMap(({ plans = [] }) => plans),
      clockMs: all.reduce((sum, { clockMs = 0 }) => sum + clockMs, 0),
    });
    await done;
  }
}
