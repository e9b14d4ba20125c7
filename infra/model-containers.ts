/** vLLM and what watches it, as containers of the task that they share with the proxy. */
import { PORTS } from "@central-llm/core/platform";
import { modelRepository } from "./image-build.ts";
import { collectorConfig } from "./metrics-collector.ts";
import { logsTo, pairs } from "./proxy-container.ts";
import { type Central, reference } from "./settings.ts";
import { region } from "./stage.ts";

/** Where the image build puts the weights. */
const MODEL_PATH = "/models/served";
const SECOND_TRY_PERIODS = 10;

export function modelContainer(central: Central, logGroup: aws.cloudwatch.LogGroup) {
  const { model, compute } = central;
  if (!modelRepository) throw new Error("the model's image repository belongs to the same stage");
  const gpu = compute.kind === "gpu";
  return {
    name: "vllm-server",
    image: $interpolate`${modelRepository.repositoryUrl}:latest`,
    essential: true,
    memory: compute.kind === "gpu" ? compute.modelMemoryMb : compute.memoryMb - 1536,
    // Localhost only: in a task that shares its network, nobody but the proxy can then reach the model.
    command: [
      ["--model", MODEL_PATH],
      ["--served-model-name", model.servedName],
      ["--host", "127.0.0.1"],
      ["--port", String(PORTS.demoModel)],
      ["--max-model-len", String(model.maxModelLen)],
      gpu ? ["--gpu-memory-utilization", String(model.gpuMemoryUtilization)] : [],
    ].flat(),
    environment: pairs({
      AWS_REGION: region,
      HF_HUB_OFFLINE: "1",
      VLLM_NO_USAGE_STATS: "1",
      ...(gpu ? { CUDA_VISIBLE_DEVICES: "0" } : { VLLM_CPU_KVCACHE_SPACE: "2" }),
    }),
    ...(gpu && {
      resourceRequirements: [{ type: "GPU", value: "1" }],
      // Its worker processes exchange tensors through shared memory; Docker's default is 64 MB.
      linuxParameters: { sharedMemorySize: 8192 },
    }),
    healthCheck: {
      command: ["CMD-SHELL", `curl -fsS http://127.0.0.1:${PORTS.demoModel}/health || exit 1`],
      interval: 30,
      timeout: 5,
      // ECS allows a start period of 300 s at most; the retries double it for a slow first read of the weights.
      retries: SECOND_TRY_PERIODS,
      startPeriod: model.startSeconds,
    },
    stopTimeout: 120,
    logConfiguration: logsTo(logGroup, "vllm"),
  };
}

/** NVIDIA's exporter reads the card, the collector reads the exporter, vLLM and the proxy, and writes to CloudWatch. */
export function watchers(
  central: Central,
  logGroup: aws.cloudwatch.LogGroup,
  metricsLogGroup: $util.Input<string>,
) {
  const gpu = central.compute.kind === "gpu";
  const exporter = {
    name: "gpu-exporter",
    image: reference(central.gpuExporter),
    essential: false,
    memory: 256,
    environment: pairs({ NVIDIA_VISIBLE_DEVICES: "all", DCGM_EXPORTER_LISTEN: "127.0.0.1:9400" }),
    logConfiguration: logsTo(logGroup, "gpu-exporter"),
  };
  const collector = {
    name: "metrics-collector",
    image: reference(central.collector),
    essential: false,
    memory: 512,
    environment: pairs({
      AOT_CONFIG_CONTENT: collectorConfig({
        gpu,
        metricsLogGroup,
        remoteWriteUrl: central.prometheusRemoteWriteUrl,
      }),
    }),
    logConfiguration: logsTo(logGroup, "collector"),
  };
  return gpu ? [exporter, collector] : [collector];
}
