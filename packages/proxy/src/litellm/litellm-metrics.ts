/** What is counted in front of LiteLLM beside what every gateway counts. */
import { Counter } from "prom-client";
import type { Metrics } from "../metrics.ts";

export class LitellmMetrics {
  /** Served all the same, under the hash of their key. */
  readonly unattributed: Counter;

  constructor({ registry }: Metrics) {
    this.unattributed = new Counter({
      name: "gateway_unattributed_requests_total",
      help: "Requests whose key's owner could not be read, since the database was away",
      registers: [registry],
    });
  }
}
