/** Clients for a deployed stage's services. Imported when needed: they double the time that a command takes to start. */
import { CloudWatchLogsClient } from "@aws-sdk/client-cloudwatch-logs";
import { EC2Client } from "@aws-sdk/client-ec2";
import { ECSClient } from "@aws-sdk/client-ecs";
import { ElasticLoadBalancingV2Client } from "@aws-sdk/client-elastic-load-balancing-v2";
import { clientConfig } from "./connection.ts";
import type { GpuClients } from "./gpu-capacity.ts";
import type { Settings } from "./settings.ts";

export function gpuClients(settings: Settings): GpuClients {
  const config = clientConfig(settings);
  return {
    ecs: new ECSClient(config),
    ec2: new EC2Client(config),
    balancers: new ElasticLoadBalancingV2Client(config),
  };
}

export const logsClient = (settings: Settings) => new CloudWatchLogsClient(clientConfig(settings));
