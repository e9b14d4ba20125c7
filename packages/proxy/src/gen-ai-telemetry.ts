/**
 * Spans and metrics of calls to models, from their audit records: made by the uploader's thread once S3 has a record, with the times and
 * identifiers that the data path gave it. Loaded only when telemetry is on.
 */
import type { AuditRecord } from "@central-llm/core/audit-record";
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } from "@opentelemetry/api";
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from "@opentelemetry/resources";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  type IdGenerator,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { dimensions, operationOf, spanAttributes } from "./gen-ai-attributes.ts";
import { inputMessages, outputMessages } from "./gen-ai-messages.ts";
import type { TelemetrySettings } from "./telemetry-settings.ts";

const SCOPE = "central-llm-proxy";
/** The conventions' boundaries, in seconds and tokens. */
const SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const TOKENS = Array.from({ length: 14 }, (_, power) => 4 ** power);
const CLOSE_MS = 5_000;

/** Gives the identifiers that a record carries; the SDK would make its own. */
class GivenIds implements IdGenerator {
  traceId = "";
  spanId = "";
  generateTraceId = () => this.traceId;
  generateSpanId = () => this.spanId;
}

export interface GenAiTelemetry {
  add(record: AuditRecord): void;
  /** Sends what is left, for a few seconds at most. */
  close(): Promise<void>;
}

export async function startTelemetry(settings: TelemetrySettings): Promise<GenAiTelemetry> {
  // What OTEL_RESOURCE_ATTRIBUTES says goes before what we say.
  const resource = defaultResource()
    .merge(resourceFromAttributes({ "service.name": settings.serviceName }))
    .merge(detectResources({ detectors: [envDetector] }));
  const ids = new GivenIds();
  const spans = new TracerProvider({
    resource,
    idGenerator: ids,
    // The data path has decided; only what is to be exported comes here.
    sampler: new AlwaysOnSampler(),
    spanProcessors: settings.traces ? [await spanProcessor(settings.traces)] : [],
  });
  const meters = new MeterProvider({
    resource,
    readers: settings.metrics ? [await metricReader(settings.metrics)] : [],
  });
  const meter = meters.getMeter(SCOPE);
  const histogram = (name: string, unit: string, description: string, explicitBucketBoundaries: number[]) =>
    meter.createHistogram(name, { unit, description, advice: { explicitBucketBoundaries } });
  const duration = histogram(
    "gen_ai.client.operation.duration",
    "s",
    "Duration of a call to a model",
    SECONDS,
  );
  const firstChunk = histogram(
    "gen_ai.client.operation.time_to_first_chunk",
    "s",
    "Time until a stream's first chunk",
    SECONDS,
  );
  const tokens = histogram("gen_ai.client.token.usage", "{token}", "Tokens of a call to a model", TOKENS);
  const tracer = spans.getTracer(SCOPE);

  function measure(record: AuditRecord, operation: string): void {
    const of = dimensions(record, operation);
    duration.record(record.latencyMs / 1000, of);
    if (record.timeToFirstTokenMs !== null) firstChunk.record(record.timeToFirstTokenMs / 1000, of);
    const { promptTokens, completionTokens, source } = record.usage;
    if (source === "none") return;
    tokens.record(promptTokens, { ...of, "gen_ai.token.type": "input" });
    tokens.record(completionTokens, { ...of, "gen_ai.token.type": "output" });
  }

  function span(record: AuditRecord, operation: string): void {
    const { spanId, traceId, parentSpanId, sampled } = record.trace ?? {};
    if (!spanId || !traceId || !sampled) return;
    Object.assign(ids, { traceId, spanId });
    const parent = { traceId, spanId: parentSpanId ?? "", traceFlags: TraceFlags.SAMPLED, isRemote: true };
    const startTime = Date.parse(record.receivedAt);
    const made = tracer.startSpan(
      [operation, record.model.requested].filter((part) => part !== null).join(" "),
      {
        kind: SpanKind.CLIENT,
        startTime,
        attributes: {
          ...dimensions(record, operation),
          ...spanAttributes(record),
          ...(settings.content && content(record)),
        },
      },
      parentSpanId ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT,
    );
    if (record.statusCode >= 400 || record.outcome !== "completed")
      made.setStatus({ code: SpanStatusCode.ERROR, message: record.error?.type ?? record.outcome });
    made.end(startTime + record.latencyMs);
  }

  return {
    add(record) {
      const operation = operationOf(record.http.path);
      if (operation === null) return;
      if (settings.metrics) measure(record, operation);
      if (settings.traces) span(record, operation);
    },
    async close() {
      const late = new Promise((done) => setTimeout(done, CLOSE_MS).unref());
      await Promise.race([Promise.allSettled([spans.shutdown(), meters.shutdown()]), late]);
    },
  };
}

function content({ request, response }: AuditRecord) {
  const [input, output] = [inputMessages(request.body), outputMessages(response.body)];
  return {
    ...(input !== null && { "gen_ai.input.messages": input }),
    ...(output !== null && { "gen_ai.output.messages": output }),
  };
}

type Export = NonNullable<TelemetrySettings["traces"]>;

async function spanProcessor({ protocol, everyMs }: Export) {
  const { OTLPTraceExporter } =
    protocol === "http/json"
      ? await import("@opentelemetry/exporter-trace-otlp-http")
      : await import("@opentelemetry/exporter-trace-otlp-proto");
  return new BatchSpanProcessor({ exporter: new OTLPTraceExporter(), scheduledDelayMillis: everyMs });
}

async function metricReader({ protocol, everyMs }: Export) {
  const { OTLPMetricExporter } =
    protocol === "http/json"
      ? await import("@opentelemetry/exporter-metrics-otlp-http")
      : await import("@opentelemetry/exporter-metrics-otlp-proto");
  return new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter(),
    exportIntervalMillis: everyMs,
    exportTimeoutMillis: Math.min(everyMs, 10_000),
  });
}
