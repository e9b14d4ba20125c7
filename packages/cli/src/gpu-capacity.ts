/** The model service's tasks, targets and hosts, and waiting until they are as wanted (seed 003's checklists). */
import { setTimeout as sleep } from "node:timers/promises";
import { DescribeInstancesCommand, type EC2Client } from "@aws-sdk/client-ec2";
import { DescribeServicesCommand, type ECSClient, UpdateServiceCommand } from "@aws-sdk/client-ecs";
import {
  DescribeTargetGroupsCommand,
  DescribeTargetHealthCommand,
  type ElasticLoadBalancingV2Client,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import type { DeployedStage } from "./deployed-stage.ts";
import { EXIT, Failure } from "./failure.ts";

export interface GpuClients {
  ecs: ECSClient;
  ec2: EC2Client;
  balancers: ElasticLoadBalancingV2Client;
}

export interface Host {
  id: string;
  type: string;
  state: string;
  launchedAt: Date | undefined;
}

export interface GpuState {
  desired: number;
  running: number;
  pending: number;
  healthyTargets: number;
  targets: number;
  /** Every host that is billed: whatever is not terminated or stopped. */
  hosts: Host[];
  /** The service's newest message. */
  lastEvent: string | undefined;
}

/** @throws {Failure} 3 when the stage has no such service */
export async function state(clients: GpuClients, { central }: DeployedStage): Promise<GpuState> {
  const [service, health, hosts] = await Promise.all([
    describe(clients.ecs, central),
    targetHealth(clients.balancers, central.targetGroup),
    billedHosts(clients.ec2, central.host),
  ]);
  return {
    desired: service.desiredCount ?? 0,
    running: service.runningCount ?? 0,
    pending: service.pendingCount ?? 0,
    healthyTargets: health.filter((one) => one === "healthy").length,
    targets: health.length,
    hosts,
    lastEvent: service.events?.[0]?.message,
  };
}

async function describe(ecs: ECSClient, { cluster, service }: DeployedStage["central"]) {
  const { services = [] } = await ecs.send(new DescribeServicesCommand({ cluster, services: [service] }));
  const found = services.find(({ status }) => status === "ACTIVE");
  if (!found) throw new Failure(EXIT.notFound, `There is no service ${service} in the cluster ${cluster}.`);
  return found;
}

async function targetHealth(balancers: ElasticLoadBalancingV2Client, name: string) {
  const { TargetGroups = [] } = await balancers.send(new DescribeTargetGroupsCommand({ Names: [name] }));
  const { TargetHealthDescriptions = [] } = await balancers.send(
    new DescribeTargetHealthCommand({ TargetGroupArn: TargetGroups[0]?.TargetGroupArn }),
  );
  return TargetHealthDescriptions.map(({ TargetHealth }) => TargetHealth?.State);
}

async function billedHosts(ec2: EC2Client, name: string): Promise<Host[]> {
  const { Reservations = [] } = await ec2.send(
    new DescribeInstancesCommand({
      Filters: [
        { Name: "tag:Name", Values: [name] },
        { Name: "instance-state-name", Values: ["pending", "running", "stopping", "shutting-down"] },
      ],
    }),
  );
  return Reservations.flatMap(({ Instances = [] }) => Instances).map((instance) => ({
    id: instance.InstanceId ?? "",
    type: instance.InstanceType ?? "",
    state: instance.State?.Name ?? "",
    launchedAt: instance.LaunchTime,
  }));
}

/** Sets how many tasks are wanted; hosts follow through the capacity provider. */
export async function scale({ ecs }: GpuClients, { central }: DeployedStage, tasks: number): Promise<void> {
  await describe(ecs, central);
  const { cluster, service } = central;
  await ecs.send(new UpdateServiceCommand({ cluster, service, desiredCount: tasks }));
}

export const isUp = (now: GpuState, tasks: number): boolean =>
  now.desired === tasks && now.running >= tasks && now.pending === 0 && now.healthyTargets >= tasks;

/** Nothing runs and nothing is billed. */
export const isDown = (now: GpuState): boolean =>
  now.desired === 0 && now.running === 0 && now.pending === 0 && now.hosts.length === 0;

/**
 * Looks until it is as wanted.
 * @param say gets each state that differs from the one before
 * @throws {Failure} 1 when the time is over, with what is still missing
 */
export async function waitUntil(
  wanted: (now: GpuState) => boolean,
  look: () => Promise<GpuState>,
  options: { timeoutMs: number; intervalMs: number; say: (line: string) => void },
): Promise<GpuState> {
  const deadline = Date.now() + options.timeoutMs;
  let said = "";
  for (;;) {
    const now = await look();
    const line = inWords(now);
    if (line !== said) options.say(line);
    said = line;
    if (wanted(now)) return now;
    if (Date.now() >= deadline) {
      throw new Failure(
        EXIT.failed,
        `Not there in time: ${line}. ${now.lastEvent ?? "The service says nothing."}`,
      );
    }
    await sleep(Math.min(options.intervalMs, Math.max(0, deadline - Date.now())));
  }
}

export function inWords({ desired, running, pending, healthyTargets, targets, hosts }: GpuState): string {
  const billed = hosts.map(({ id, type, state }) => `${id} (${type}, ${state})`).join(", ") || "none";
  return `${running} of ${desired} tasks run, ${pending} starting; ${healthyTargets} of ${targets} targets healthy; hosts: ${billed}`;
}
