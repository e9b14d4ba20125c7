/** What the gateway counts beside what every proxy does (metrics.ts). */
import { Counter, Gauge, Histogram } from "prom-client";
import type { Metrics } from "../metrics.ts";

export class GatewayMetrics {
  readonly refused: Counter<"reason">;
  readonly denied: Counter<"reason">;
  readonly findings: Counter<"entity" | "action" | "side">;
  readonly attempts: Counter<"model" | "kind">;
  readonly admission: Histogram;
  readonly spend: Counter<"model">;
  readonly unbooked: Counter;

  /** @param pending settlements that are not on the database's disk yet */
  constructor({ registry }: Metrics, pending: () => number) {
    const registers = [registry];
    this.refused = new Counter({
      name: "gateway_refused_requests_total",
      help: "Requests that keys, limits or filters refused",
      labelNames: ["reason"],
      registers,
    });
    this.denied = new Counter({
      name: "gateway_failed_authentications_total",
      help: "Requests without a key, or with one that is not valid",
      labelNames: ["reason"],
      registers,
    });
    this.findings = new Counter({
      name: "gateway_pii_findings_total",
      help: "Personal data and secrets found in requests and answers",
      labelNames: ["entity", "action", "side"],
      registers,
    });
    this.attempts = new Counter({
      name: "gateway_failed_attempts_total",
      help: "Calls of models that failed, also those that a retry or a fallback made good",
      labelNames: ["model", "kind"],
      registers,
    });
    this.admission = new Histogram({
      name: "gateway_admission_seconds",
      help: "The round trip that decides on key and limits",
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5],
      registers,
    });
    this.spend = new Counter({
      name: "gateway_spend_usd_total",
      help: "What calls cost, by configured model",
      labelNames: ["model"],
      registers,
    });
    this.unbooked = new Counter({
      name: "gateway_unbooked_requests_total",
      help: "Requests whose spend could not be booked; the audit record has their cost",
      registers,
    });
    new Gauge({
      name: "gateway_pending_settlements",
      help: "Finished requests whose spend is not on the database's disk yet",
      registers,
      collect() {
        this.set(pending());
      },
    });
  }
}
