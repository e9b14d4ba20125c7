/** Seed 004 §5: one VPC in two zones with three tiers. Raw resources, because sst.aws.Vpc has neither these ranges nor a
 * database tier (docs/decisions/raw-resources.md). */

import { logGroup } from "./log-group.ts";
import { serviceRole } from "./service-role.ts";
import { accountId, named, region, settings, zones } from "./stage.ts";

const { network } = settings;

export const vpc = new aws.ec2.Vpc("Vpc", {
  cidrBlock: network.cidr,
  enableDnsSupport: true,
  enableDnsHostnames: true,
  tags: { Name: named("llmlite-vpc") },
});

function subnets(tier: "public" | "private" | "database") {
  return zones.map((availabilityZone, index) => {
    const letter = availabilityZone.slice(-1).toUpperCase();
    const label = tier.charAt(0).toUpperCase() + tier.slice(1);
    return new aws.ec2.Subnet(`${label}Subnet${letter}`, {
      vpcId: vpc.id,
      availabilityZone,
      cidrBlock: network[tier][index as 0 | 1],
      mapPublicIpOnLaunch: false,
      tags: { Name: named(`${tier}-subnet-2${letter.toLowerCase()}`) },
    });
  });
}
const publicSubnets = subnets("public");
const privateSubnets = subnets("private");
const databaseSubnets = subnets("database");
export const publicSubnetIds = publicSubnets.map((subnet) => subnet.id);
export const privateSubnetIds = privateSubnets.map((subnet) => subnet.id);
export const databaseSubnetIds = databaseSubnets.map((subnet) => subnet.id);

const internet = new aws.ec2.InternetGateway("InternetGateway", { vpcId: vpc.id });

/** A route table for the subnets, with a way out when one is given. */
function routes(
  name: string,
  of: aws.ec2.Subnet[],
  out?: { gatewayId?: $util.Input<string>; natGatewayId?: $util.Input<string> },
) {
  const table = new aws.ec2.RouteTable(name, { vpcId: vpc.id, tags: { Name: named(name) } });
  if (out)
    new aws.ec2.Route(`${name}Out`, { routeTableId: table.id, destinationCidrBlock: "0.0.0.0/0", ...out });
  of.forEach((subnet, index) => {
    new aws.ec2.RouteTableAssociation(`${name}Subnet${index + 1}`, {
      routeTableId: table.id,
      subnetId: subnet.id,
    });
  });
  return table;
}

const nats = (network.nat === "per-zone" ? publicSubnets : publicSubnets.slice(0, 1)).map((subnet, index) => {
  const letter = zones[index as 0 | 1].slice(-1).toUpperCase();
  const address = new aws.ec2.Eip(`NatAddress${letter}`, { domain: "vpc" });
  return new aws.ec2.NatGateway(
    `NatGateway${letter}`,
    { subnetId: subnet.id, allocationId: address.allocationId },
    { dependsOn: [internet] },
  );
});

routes("PublicRoutes", publicSubnets, { gatewayId: internet.id });
const privateTables = privateSubnets.map((subnet, index) => {
  const nat = nats[index] ?? nats[0];
  if (!nat) throw new Error("a private subnet needs a NAT gateway");
  return routes(`PrivateRoutes${zones[index as 0 | 1].slice(-1).toUpperCase()}`, [subnet], {
    natGatewayId: nat.id,
  });
});
const databaseTable = routes("DatabaseRoutes", databaseSubnets);

// S3 and DynamoDB carry the audit trail; by gateway endpoints it costs nothing, through NAT 5 US cents a GB.
for (const service of ["s3", "dynamodb"]) {
  new aws.ec2.VpcEndpoint(`${service === "s3" ? "S3" : "DynamoDb"}Endpoint`, {
    vpcId: vpc.id,
    serviceName: `com.amazonaws.${region}.${service}`,
    vpcEndpointType: "Gateway",
    routeTableIds: privateTables.map((table) => table.id),
  });
}

if (network.interfaceEndpoints) {
  const group = new aws.ec2.SecurityGroup("EndpointGroup", {
    name: named("llmlite-endpoint-sg"),
    description: "HTTPS to AWS services from inside the VPC",
    vpcId: vpc.id,
    ingress: [{ protocol: "tcp", fromPort: 443, toPort: 443, cidrBlocks: [network.cidr] }],
    egress: [],
  });
  for (const service of [
    "bedrock-runtime",
    "ecr.api",
    "ecr.dkr",
    "logs",
    "secretsmanager",
    "kms",
    "monitoring",
  ]) {
    new aws.ec2.VpcEndpoint(`Endpoint-${service.replace(".", "-")}`, {
      vpcId: vpc.id,
      serviceName: `com.amazonaws.${region}.${service}`,
      vpcEndpointType: "Interface",
      privateDnsEnabled: true,
      subnetIds: privateSubnetIds,
      securityGroupIds: [group.id],
    });
  }
}

// The default group of a VPC lets its members talk to each other; nothing of ours is to rely on it.
new aws.ec2.DefaultSecurityGroup("DefaultGroup", { vpcId: vpc.id, ingress: [], egress: [] });

/** Only these tiers may open a connection to the database tier, whatever a security group says. */
new aws.ec2.NetworkAcl("DatabaseAcl", {
  vpcId: vpc.id,
  subnetIds: databaseSubnetIds,
  ingress: network.private.map((cidrBlock, index) => ({
    ruleNo: 100 + index,
    action: "allow",
    protocol: "tcp",
    fromPort: 5432,
    toPort: 5432,
    cidrBlock,
  })),
  egress: network.private.map((cidrBlock, index) => ({
    ruleNo: 100 + index,
    action: "allow",
    protocol: "tcp",
    fromPort: 1024,
    toPort: 65535,
    cidrBlock,
  })),
});

const flowLogs = logGroup("FlowLogGroup", `/vpc/${named("llmlite-vpc")}/flow`);
const flowLogRole = serviceRole("FlowLogRole", "vpc-flow-logs.amazonaws.com", [
  {
    actions: ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
    resources: [$interpolate`arn:aws:logs:${region}:${accountId}:log-group:${flowLogs.name}:*`],
  },
]);
new aws.ec2.FlowLog("FlowLog", {
  vpcId: vpc.id,
  trafficType: "ALL",
  maxAggregationInterval: 600,
  logDestinationType: "cloud-watch-logs",
  logDestination: flowLogs.arn,
  iamRoleArn: flowLogRole.arn,
});

/** The table without a way out, for the test that says so. */
export const databaseRouteTableId = databaseTable.id;
