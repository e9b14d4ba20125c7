/**
 * OpenTelemetry's standard variables, as far as the proxy obeys them (opentelemetry.io, "Environment Variable Specification" and "OTLP Exporter
 * Configuration"). Endpoints, headers, time-outs and compression are read by the exporters themselves.
 */
import { z } from "zod";

const milliseconds = (fallback: number) => z.coerce.number().int().positive().default(fallback);
const exporter = z.enum(["otlp", "none"]).default("otlp");
const PROTOCOLS = ["http/protobuf", "http/json"] as const;

export const SAMPLERS = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const;

export const otelVariables = {
  OTEL_SDK_DISABLED: z.stringbool().default(false),
  /** Telemetry is on when one of the three is set. */
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url().optional(),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: z.url().optional(),
  OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: z.url().optional(),
  OTEL_EXPORTER_OTLP_PROTOCOL: z.enum(PROTOCOLS).default("http/protobuf"),
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: z.enum(PROTOCOLS).optional(),
  OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: z.enum(PROTOCOLS).optional(),
  OTEL_TRACES_EXPORTER: exporter,
  OTEL_METRICS_EXPORTER: exporter,
  OTEL_TRACES_SAMPLER: z.enum(SAMPLERS).default("parentbased_always_on"),
  OTEL_TRACES_SAMPLER_ARG: z.coerce.number().min(0).max(1).default(1),
  OTEL_SERVICE_NAME: z.string().min(1).optional(),
  OTEL_BSP_SCHEDULE_DELAY: milliseconds(5_000),
  OTEL_METRIC_EXPORT_INTERVAL: milliseconds(60_000),
  /** Prompts and answers on the spans: a copy of audit data in another system, so only when asked for. */
  OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: z
    .string()
    .toUpperCase()
    .pipe(z.enum(["TRUE", "FALSE", "NO_CONTENT", "SPAN_ONLY", "EVENT_ONLY", "SPAN_AND_EVENT"]))
    .default("FALSE"),
};
const Variables = z.object(otelVariables);

type Protocol = (typeof PROTOCOLS)[number];

/** Plain data: it goes to the uploader's thread. */
export interface TelemetrySettings {
  /** Null: not exported. */
  traces: { protocol: Protocol; everyMs: number } | null;
  metrics: { protocol: Protocol; everyMs: number } | null;
  sampler: (typeof SAMPLERS)[number];
  ratio: number;
  serviceName: string;
  content: boolean;
}

/** Null when telemetry is off. */
export function telemetrySettings(
  variables: z.output<typeof Variables>,
  profile: string,
): TelemetrySettings | null {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: all, OTEL_EXPORTER_OTLP_PROTOCOL: protocol } = variables;
  const wanted = (endpoint: string | undefined, exporter: "otlp" | "none") =>
    (endpoint ?? all) !== undefined && exporter === "otlp";
  const traces = wanted(variables.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, variables.OTEL_TRACES_EXPORTER);
  const metrics = wanted(variables.OTEL_EXPORTER_OTLP_METRICS_ENDPOINT, variables.OTEL_METRICS_EXPORTER);
  if (variables.OTEL_SDK_DISABLED || !(traces || metrics)) return null;
  const content = variables.OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT;
  return {
    traces: traces
      ? {
          protocol: variables.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL ?? protocol,
          everyMs: variables.OTEL_BSP_SCHEDULE_DELAY,
        }
      : null,
    metrics: metrics
      ? {
          protocol: variables.OTEL_EXPORTER_OTLP_METRICS_PROTOCOL ?? protocol,
          everyMs: variables.OTEL_METRIC_EXPORT_INTERVAL,
        }
      : null,
    sampler: variables.OTEL_TRACES_SAMPLER,
    ratio: variables.OTEL_TRACES_SAMPLER_ARG,
    serviceName: variables.OTEL_SERVICE_NAME ?? `central-llm-proxy-${profile}`,
    content: content === "TRUE" || content === "SPAN_ONLY" || content === "SPAN_AND_EVENT",
  };
}
