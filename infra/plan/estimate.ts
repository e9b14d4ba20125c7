/** What a plan costs a month: what runs whether used or not, and what a stated use adds. */
import { componentOf } from "./component.ts";
import { HOURS_A_MONTH, type Prices, pricesIn } from "./price-sheet.ts";
import { type Inputs, ofType, only, type Plan, type Resource } from "./resource.ts";

export interface CostLine {
  component: string;
  item: string;
  quantity: number;
  unit: string;
  unitPrice: number;
  monthly: number;
}

export interface Estimate {
  /** Billed around the clock. */
  fixed: CostLine[];
  /** What {@link USE} adds. */
  use: CostLine[];
  fixedTotal: number;
  useTotal: number;
  total: number;
}

/** A month's use that estimates assume. */
export const USE = {
  requests: 1_000_000,
  /** Three units of the base row, one for each of three indexes, one for a sparse one: an id of the client's or a failure. */
  writeUnitsARequest: 7,
  objectKb: 4,
  logGb: 20,
} as const;

const cents = (dollars: number) => Math.round(dollars * 100) / 100;

type Priced = [item: string, quantity: number, unit: string, unitPrice: number];

/** Prices of one resource that is billed by its existence. */
function fixedOf(resource: Resource, plan: Plan, prices: Prices): Priced[] {
  const { inputs, type } = resource;
  const hour = (item: string, count: number, price: number): Priced => [
    item,
    count * HOURS_A_MONTH,
    "hours",
    price,
  ];
  const rules: Record<string, () => Priced[]> = {
    "aws:ec2/natGateway:NatGateway": () => [
      hour("NAT gateway", 1, prices.natGatewayHour),
      hour("its public address", 1, prices.publicAddressHour),
    ],
    "aws:ec2/vpcEndpoint:VpcEndpoint": () =>
      inputs.vpcEndpointType === "Interface"
        ? [hour("interface endpoint", inputs.subnetIds.length, prices.interfaceEndpointHour)]
        : [],
    "aws:lb/loadBalancer:LoadBalancer": () => [
      hour(`load balancer ${inputs.name}`, 1, prices.balancerHour),
      ...(inputs.internal
        ? []
        : [hour("its public addresses", inputs.subnets.length, prices.publicAddressHour)]),
    ],
    "aws:rds/instance:Instance": () => databasePrices(inputs, prices, hour),
    "aws:ecs/service:Service": () => servicePrices(resource, plan, prices, hour),
    "aws:wafv2/webAcl:WebAcl": () => [
      ["web ACL", 1, "months", prices.webAclMonth],
      ["its rules", inputs.rules.length, "months", prices.webAclRuleMonth],
    ],
    "aws:kms/key:Key": () => [["KMS key", 1, "months", prices.keyMonth]],
    "aws:secretsmanager/secret:Secret": () => [["secret", 1, "months", prices.secretMonth]],
    "aws:cloudwatch/dashboard:Dashboard": () => [["dashboard", 1, "months", prices.dashboardMonth]],
    "aws:cloudwatch/metricAlarm:MetricAlarm": () => [
      ["alarms, by metric", metricsOf(inputs), "months", prices.alarmMetricMonth],
    ],
  };
  return rules[type]?.() ?? [];
}

/** An alarm is billed by the metrics it looks at; one on what is usual counts its band's two as well. */
function metricsOf({ metricQueries }: Inputs): number {
  if (!metricQueries) return 1;
  const queries = metricQueries as { metric?: unknown; expression?: string }[];
  const band = queries.some((query) => query.expression?.startsWith("ANOMALY")) ? 2 : 0;
  return queries.filter((query) => query.metric).length + band;
}

type Hour = (item: string, count: number, price: number) => Priced;

function databasePrices(inputs: Inputs, prices: Prices, hour: Hour): Priced[] {
  const price = prices.databaseHour[inputs.instanceClass];
  if (price === undefined) throw new Error(`the price sheet lacks ${inputs.instanceClass}`);
  const copies = inputs.multiAz ? 2 : 1;
  return [
    hour(`database ${inputs.instanceClass}`, copies, price),
    ["its storage", inputs.allocatedStorage * copies, "GB months", prices.databaseGbMonth],
    ["its password", 1, "months", prices.secretMonth],
  ];
}

function servicePrices({ inputs }: Resource, plan: Plan, prices: Prices, hour: Hour): Priced[] {
  const task = ofType(plan, "aws:ecs/taskDefinition:TaskDefinition").find((definition) =>
    String(inputs.taskDefinition).includes(`task-definition/${definition.inputs.family}:`),
  );
  if (!task) throw new Error(`no task definition for the service ${inputs.name}`);
  const tasks: number = inputs.desiredCount;
  if (task.inputs.requiresCompatibilities[0] === "FARGATE") {
    return [
      hour(`${inputs.name} vCPU`, tasks * (Number(task.inputs.cpu) / 1024), prices.fargateVcpuHour),
      hour(`${inputs.name} GB`, tasks * (Number(task.inputs.memory) / 1024), prices.fargateGbHour),
    ];
  }
  const { instanceType, blockDeviceMappings } = only(plan, "aws:ec2/launchTemplate:LaunchTemplate").inputs;
  const price = prices.instanceHour[instanceType];
  if (price === undefined) throw new Error(`the price sheet lacks ${instanceType}`);
  return [
    hour(`${inputs.name} on ${instanceType}`, tasks, price),
    ["its volume", tasks * blockDeviceMappings[0].ebs.volumeSize, "GB months", prices.volumeGbMonth],
  ];
}

/** The lines that {@link USE} causes. */
function useOf(plan: Plan, prices: Prices): CostLine[] {
  const millions = USE.requests / 1e6;
  const per = prices.requests;
  const { memorySize = 512 } =
    ofType(plan, "aws:lambda/function:Function").find((lambda) => /ingest/.test(lambda.inputs.name))
      ?.inputs ?? {};
  const batches = millions / 50;
  const lines: [component: string, ...Priced][] = [
    ["audit storage", "S3 PUT", millions, "million", per.s3Put],
    // Ingest reads each object, the digest asks for each one's hash.
    ["audit storage", "S3 GET and HEAD", millions * 2, "million", per.s3Get],
    ["audit storage", "S3 storage", (USE.requests * USE.objectKb) / 1e6, "GB months", prices.s3GbMonth],
    ["audit ingest", "SQS requests", millions * 2, "million", per.sqs],
    ["audit ingest", "Lambda calls", batches, "million", per.lambdaRequest],
    ["audit ingest", "Lambda time", batches * 1e6 * (memorySize / 1024), "GB seconds", prices.lambdaGbSecond],
    ["audit table", "DynamoDB writes", millions * USE.writeUnitsARequest, "million", per.dynamoDbWriteUnit],
    ["alarms and dashboards", "logs", USE.logGb, "GB", prices.logsGb],
  ];
  if (ofType(plan, "aws:apigateway/restApi:RestApi").length > 0) {
    lines.push(["central", "REST API requests", millions, "million", per.restApi]);
  }
  if (ofType(plan, "aws:wafv2/webAcl:WebAcl").length > 0) {
    lines.push(["web firewall", "inspected requests", millions, "million", per.firewall]);
  }
  return lines.map(([component, ...priced]) => line(component, priced));
}

const line = (component: string, [item, quantity, unit, unitPrice]: Priced): CostLine => ({
  component,
  item,
  quantity,
  unit,
  unitPrice,
  monthly: cents(quantity * unitPrice),
});

/** Adds up lines of the same item, so that 23 alarms are one line. */
function merged(lines: CostLine[]): CostLine[] {
  const byItem = new Map<string, CostLine>();
  for (const one of lines) {
    const name = `${one.component}/${one.item}/${one.unitPrice}`;
    const quantity = (byItem.get(name)?.quantity ?? 0) + one.quantity;
    byItem.set(name, { ...one, quantity, monthly: cents(quantity * one.unitPrice) });
  }
  return [...byItem.values()].sort((a, b) => a.component.localeCompare(b.component) || b.monthly - a.monthly);
}

const sum = (lines: CostLine[]) => cents(lines.reduce((total, { monthly }) => total + monthly, 0));

/** @throws when the price sheet lacks something that the plan has */
export function estimate(plan: Plan): Estimate {
  const prices = pricesIn(plan.region);
  const fixed = merged(
    plan.resources.flatMap((resource) =>
      fixedOf(resource, plan, prices).map((priced) => line(componentOf(resource), priced)),
    ),
  );
  const use = merged(useOf(plan, prices));
  const [fixedTotal, useTotal] = [sum(fixed), sum(use)];
  return { fixed, use, fixedTotal, useTotal, total: cents(fixedTotal + useTotal) };
}
