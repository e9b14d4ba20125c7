import { CloudWatchLogsClient, FilterLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs";
import { DescribeInstancesCommand, EC2Client } from "@aws-sdk/client-ec2";
import { DescribeServicesCommand, ECSClient, UpdateServiceCommand } from "@aws-sdk/client-ecs";
import {
  DescribeTargetGroupsCommand,
  DescribeTargetHealthCommand,
  ElasticLoadBalancingV2Client,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { mockClient } from "aws-sdk-client-mock";
import { beforeEach, describe, expect, test } from "vitest";
import { deployedStage } from "./deployed-stage.ts";
import * as GpuCapacity from "./gpu-capacity.ts";
import { LogFollower } from "./log-follower.ts";

// ECS, EC2, load balancers and CloudWatch Logs have no engine here; their clients are stubbed.
const clients = {
  ecs: new ECSClient({ region: "eu-central-1" }),
  ec2: new EC2Client({ region: "eu-central-1" }),
  balancers: new ElasticLoadBalancingV2Client({ region: "eu-central-1" }),
};
const [ecs, ec2, balancers] = [
  mockClient(clients.ecs),
  mockClient(clients.ec2),
  mockClient(clients.balancers),
];
const stage = deployedStage("prod");

/** The stage as AWS would show it. */
function shows(
  tasks: { desired: number; running: number; pending: number },
  targets: string[],
  hosts: string[],
) {
  ecs.on(DescribeServicesCommand).resolves({
    services: [
      {
        status: "ACTIVE",
        desiredCount: tasks.desired,
        runningCount: tasks.running,
        pendingCount: tasks.pending,
        events: [{ message: "was unable to place a task" }],
      },
    ],
  });
  balancers.on(DescribeTargetGroupsCommand).resolves({ TargetGroups: [{ TargetGroupArn: "arn:targets" }] });
  balancers.on(DescribeTargetHealthCommand).resolves({
    TargetHealthDescriptions: targets.map((State) => ({ TargetHealth: { State: State as "healthy" } })),
  });
  ec2.on(DescribeInstancesCommand).resolves({
    Reservations: hosts.map((state) => ({
      Instances: [{ InstanceId: "i-1", InstanceType: "g6e.2xlarge", State: { Name: state as "running" } }],
    })),
  });
}
const quick = { timeoutMs: 200, intervalMs: 1, say: () => {} };
const look = () => GpuCapacity.state(clients, stage);

beforeEach(() => {
  for (const mock of [ecs, ec2, balancers]) mock.reset();
});

describe("gpu up", () => {
  test("asks the seeds' service for tasks", async () => {
    shows({ desired: 0, running: 0, pending: 0 }, [], []);
    await GpuCapacity.scale(clients, stage, 1);
    expect(ecs.commandCalls(UpdateServiceCommand)[0]?.args[0].input).toEqual({
      cluster: "central-llm-service-cluster",
      service: "central-llm-service",
      desiredCount: 1,
    });
  });

  test("waits until each task runs and its target is healthy, and says what changes", async () => {
    const said: string[] = [];
    shows({ desired: 1, running: 0, pending: 1 }, [], ["pending"]);
    const waiting = GpuCapacity.waitUntil((now) => GpuCapacity.isUp(now, 1), look, {
      timeoutMs: 5_000,
      intervalMs: 1,
      say: (line) => {
        said.push(line);
        if (said.length === 1) shows({ desired: 1, running: 1, pending: 0 }, ["initial"], ["running"]);
        if (said.length === 2) shows({ desired: 1, running: 1, pending: 0 }, ["healthy"], ["running"]);
      },
    });
    expect(await waiting).toMatchObject({ running: 1, healthyTargets: 1 });
    expect(said).toEqual([
      "0 of 1 tasks run, 1 starting; 0 of 0 targets healthy; hosts: i-1 (g6e.2xlarge, pending)",
      "1 of 1 tasks run, 0 starting; 0 of 1 targets healthy; hosts: i-1 (g6e.2xlarge, running)",
      "1 of 1 tasks run, 0 starting; 1 of 1 targets healthy; hosts: i-1 (g6e.2xlarge, running)",
    ]);
  });

  test("gives up in time, with what the service says", async () => {
    shows({ desired: 1, running: 0, pending: 0 }, [], []);
    await expect(GpuCapacity.waitUntil((now) => GpuCapacity.isUp(now, 1), look, quick)).rejects.toThrow(
      /Not there in time: 0 of 1 tasks run.*was unable to place a task/,
    );
  });
});

describe("gpu down", () => {
  test("is done when nothing runs and no host is billed, not before", async () => {
    shows({ desired: 0, running: 0, pending: 0 }, ["draining"], ["shutting-down"]);
    await expect(GpuCapacity.waitUntil(GpuCapacity.isDown, look, quick)).rejects.toThrow(/shutting-down/);
    shows({ desired: 0, running: 0, pending: 0 }, [], []);
    expect(await GpuCapacity.waitUntil(GpuCapacity.isDown, look, quick)).toMatchObject({ hosts: [] });
  });

  test("looks for hosts by the seeds' name, in every state that is billed", async () => {
    shows({ desired: 0, running: 0, pending: 0 }, [], []);
    await look();
    expect(ec2.commandCalls(DescribeInstancesCommand)[0]?.args[0].input.Filters).toEqual([
      { Name: "tag:Name", Values: ["central-llm-ec2"] },
      { Name: "instance-state-name", Values: ["pending", "running", "stopping", "shutting-down"] },
    ]);
  });
});

test("a stage that is not there is named", async () => {
  ecs.on(DescribeServicesCommand).resolves({ services: [] });
  balancers.on(DescribeTargetGroupsCommand).resolves({});
  balancers.on(DescribeTargetHealthCommand).resolves({});
  ec2.on(DescribeInstancesCommand).resolves({});
  await expect(GpuCapacity.state(clients, deployedStage("dev"))).rejects.toThrow(
    "There is no service central-llm-service-dev in the cluster central-llm-service-cluster-dev.",
  );
});

async function all(lines: AsyncIterable<string>): Promise<string[]> {
  const found: string[] = [];
  for await (const line of lines) found.push(line);
  return found;
}

describe("logs", () => {
  const client = new CloudWatchLogsClient({ region: "eu-central-1" });
  const cloudWatch = mockClient(client);
  const event = (eventId: string, timestamp: number, message: string) => ({ eventId, timestamp, message });
  const T = Date.parse("2026-11-21T10:00:00.000Z");

  test("show each line once, over pages and over looks, late ones too", async () => {
    const follower = new LogFollower(client, "/ecs/central-llm-service", T, "ERROR");
    cloudWatch
      .on(FilterLogEventsCommand)
      .resolvesOnce({ events: [event("1", T, "one\n")], nextToken: "next" })
      .resolvesOnce({ events: [event("2", T + 60_000, "two")] });
    expect(await all(follower.next())).toEqual([
      "2026-11-21T10:00:00.000Z  one",
      "2026-11-21T10:01:00.000Z  two",
    ]);
    cloudWatch
      .on(FilterLogEventsCommand)
      .resolves({ events: [event("2", T + 60_000, "two"), event("3", T + 45_000, "late")] });
    expect(await all(follower.next())).toEqual(["2026-11-21T10:00:45.000Z  late"]);
    const asked = cloudWatch.commandCalls(FilterLogEventsCommand).map(({ args }) => args[0].input);
    expect(asked).toEqual([
      { logGroupName: "/ecs/central-llm-service", startTime: T, filterPattern: "ERROR" },
      { logGroupName: "/ecs/central-llm-service", startTime: T, filterPattern: "ERROR", nextToken: "next" },
      { logGroupName: "/ecs/central-llm-service", startTime: T + 30_000, filterPattern: "ERROR" },
    ]);
  });
});
