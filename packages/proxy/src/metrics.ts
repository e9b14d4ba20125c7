/** The proxy's Prometheus metrics. Seconds and bytes, as Prometheus asks. */
import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import { DurationHistogram } from "./duration-histogram.ts";

export class Metrics {
  readonly registry = new Registry();
  /** Values that are read when somebody asks for them. */
  readonly sources = {
    inFlight: () => 0,
    bufferedBytes: () => 0,
    spoolBytes: () => 0,
    spoolDepth: () => 0,
    spoolAge: () => 0,
  };
  /** Requests that ended since the last time somebody asked, by route, status and outcome. */
  readonly #ended = new Map<string, number>();
  readonly requests = this.#endedCounter();
  readonly latency = new DurationHistogram(this.registry, {
    name: "llm_request_duration_seconds",
    help: "From the request's head to the answer's last byte",
    label: "route",
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900],
  });
  readonly timeToFirstToken = new DurationHistogram(this.registry, {
    name: "llm_time_to_first_token_seconds",
    help: "From the request's head to a stream's first byte",
    label: "route",
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  });
  readonly malformed = this.#counter(
    "llm_malformed_requests_total",
    "What came in and was not HTTP, too slow or too large a head; not audited, for it names nobody",
    ["code"],
  );
  readonly upstreamErrors = this.#counter("llm_upstream_errors_total", "Failures of the upstream by kind", [
    "kind",
  ]);
  readonly tokens = this.#counter("llm_tokens_total", "Tokens that the upstream counted", [
    "direction",
    "model",
  ]);
  readonly inFlight = this.#gauge("llm_requests_in_flight", "Requests being handled", "inFlight");
  readonly bufferedBytes = this.#gauge(
    "llm_buffered_request_bytes",
    "Bytes of requests and answers held in memory",
    "bufferedBytes",
  );
  readonly unprotected = this.#counter(
    "audit_unprotected_requests_total",
    "Requests served although their intent could not be written first",
  );
  readonly lost = this.#counter(
    "audit_records_lost_total",
    "Records that found no room; each leaves a gap in the sequence",
  );
  readonly spoolTrouble = this.#gauge("audit_spool_trouble", "1 while the spool's disk refuses or hangs");
  readonly spoolBytes = this.#gauge(
    "audit_spool_bytes",
    "Bytes in the spool that are not uploaded yet",
    "spoolBytes",
  );
  readonly spoolDepth = this.#gauge(
    "audit_spool_records",
    "Records in the spool that are not uploaded yet",
    "spoolDepth",
  );
  readonly spoolAge = this.#gauge(
    "audit_spool_oldest_seconds",
    "Age of the oldest record that is not uploaded yet",
    "spoolAge",
  );
  readonly uploads = this.#counter("audit_uploads_total", "Audit objects that S3 confirmed");
  readonly uploadFailures = this.#counter("audit_upload_failures_total", "Attempts that S3 did not confirm", [
    "reason",
  ]);
  readonly recovered = this.#counter(
    "audit_recovered_records_total",
    "Records of earlier lives that were uploaded",
    ["outcome"],
  );

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  /** A request has ended. @param firstMs to a stream's first byte; null for what was no stream */
  ended(route: string, status: number, outcome: string, latencyMs: number, firstMs: number | null): void {
    const key = `${route} ${status} ${outcome}`;
    this.#ended.set(key, (this.#ended.get(key) ?? 0) + 1);
    this.latency.observe(route, latencyMs / 1000);
    if (firstMs !== null) this.timeToFirstToken.observe(route, firstMs / 1000);
  }

  #endedCounter() {
    const ended = this.#ended;
    return new Counter({
      name: "llm_requests_total",
      help: "Requests by outcome",
      labelNames: ["route", "status", "outcome"],
      registers: [this.registry],
      collect() {
        for (const [key, count] of ended) {
          const [route = "", status = "", outcome = ""] = key.split(" ");
          this.inc({ route, status, outcome }, count);
        }
        ended.clear();
      },
    });
  }

  #counter<Label extends string = never>(name: string, help: string, labelNames: Label[] = []) {
    return new Counter<Label>({ name, help, labelNames, registers: [this.registry] });
  }

  #gauge(name: string, help: string, source?: keyof Metrics["sources"]) {
    const { registry, sources } = this;
    const registers = [registry];
    if (source === undefined) return new Gauge({ name, help, registers });
    return new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(sources[source]());
      },
    });
  }
}

const ROUTES = new Set(["chat/completions", "completions", "embeddings", "models", "responses", "messages"]);

/** A path's label: known routes by name, the rest as one, so that clients cannot make time series without end. */
export function routeOf(path: string): string {
  const rest = path.slice("/v1/".length);
  if (ROUTES.has(rest)) return rest;
  const first = rest.split("/", 1)[0] ?? "";
  return ROUTES.has(first) ? first : "other";
}
