/** The OpenTelemetry collector's configuration: scrape the task's own ports, write to CloudWatch's embedded metrics. */
import { PORTS } from "@central-llm/core/platform";
import { named, region } from "./stage.ts";

export const GPU_NAMESPACE = "CentralLLM/GPU";
const GPU_EXPORTER_PORT = 9400;

/** Metric names as their programs export them. Sources: DCGM exporter's default counters; vLLM's metrics page. */
export const GPU_METRICS = {
  utilisation: "DCGM_FI_DEV_GPU_UTIL",
  memoryUsed: "DCGM_FI_DEV_FB_USED",
  memoryFree: "DCGM_FI_DEV_FB_FREE",
  temperature: "DCGM_FI_DEV_GPU_TEMP",
  power: "DCGM_FI_DEV_POWER_USAGE",
  xidErrors: "DCGM_FI_DEV_XID_ERRORS",
} as const;
export const MODEL_METRICS = {
  running: "vllm:num_requests_running",
  waiting: "vllm:num_requests_waiting",
  cacheUsage: "vllm:kv_cache_usage_perc",
  promptTokens: "vllm:prompt_tokens_total",
  generatedTokens: "vllm:generation_tokens_total",
} as const;

export function collectorConfig(args: {
  gpu: boolean;
  metricsLogGroup: $util.Input<string>;
  remoteWriteUrl: string | null;
}) {
  const scrape = (job: string, port: number) => ({
    job_name: job,
    scrape_interval: "30s",
    static_configs: [{ targets: [`127.0.0.1:${port}`] }],
  });
  const names = [...Object.values(GPU_METRICS), ...Object.values(MODEL_METRICS)];
  const exporters = args.remoteWriteUrl ? ["awsemf", "prometheusremotewrite"] : ["awsemf"];
  // JSON is YAML.
  return $jsonStringify({
    receivers: {
      prometheus: {
        config: {
          scrape_configs: [
            scrape("vllm", PORTS.demoModel),
            scrape("proxy", PORTS.centralProxy),
            ...(args.gpu ? [scrape("gpu", GPU_EXPORTER_PORT)] : []),
          ],
        },
      },
    },
    processors: {
      // Without it every scrape's host and port become dimensions, each of them a billed metric.
      resource: { attributes: [{ key: "service", value: named("central-llm-service"), action: "upsert" }] },
      batch: { timeout: "60s" },
    },
    exporters: {
      awsemf: {
        namespace: GPU_NAMESPACE,
        region,
        log_group_name: args.metricsLogGroup,
        log_stream_name: "{TaskId}",
        dimension_rollup_option: "NoDimensionRollup",
        resource_to_telemetry_conversion: { enabled: true },
        metric_declarations: [
          { dimensions: [["service"]], metric_name_selectors: names.map((name) => `^${name}$`) },
        ],
      },
      ...(args.remoteWriteUrl && {
        prometheusremotewrite: { endpoint: args.remoteWriteUrl, auth: { authenticator: "sigv4auth" } },
      }),
    },
    ...(args.remoteWriteUrl && { extensions: { sigv4auth: { region, service: "aps" } } }),
    service: {
      ...(args.remoteWriteUrl && { extensions: ["sigv4auth"] }),
      pipelines: {
        metrics: { receivers: ["prometheus"], processors: ["resource", "batch"], exporters },
      },
    },
  });
}
