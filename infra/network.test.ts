import { describe, expect, test } from "vitest";
import { planOf } from "./plan/plan.ts";
import { ofType, only, type Plan } from "./plan/resource.ts";

const [prod, dev] = [await planOf("prod"), await planOf("dev")];

/** First and last address of a range, as numbers. */
function range(cidr: string): [number, number] {
  const [address = "", bits] = cidr.split("/");
  const first = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  return [first, first + 2 ** (32 - Number(bits)) - 1];
}
const subnets = (plan: Plan) => ofType(plan, "aws:ec2/subnet:Subnet");
const idsOf = (plan: Plan, tier: string) =>
  subnets(plan)
    .filter(({ name }) => name.startsWith(tier))
    .map(({ id }) => id);

/** The default routes of the subnets of a tier. */
function waysOut(plan: Plan, tier: string) {
  const tables = ofType(plan, "aws:ec2/routeTableAssociation:RouteTableAssociation")
    .filter(({ inputs }) => idsOf(plan, tier).includes(inputs.subnetId))
    .map(({ inputs }) => inputs.routeTableId);
  expect(tables).toHaveLength(2);
  const routes = ofType(plan, "aws:ec2/route:Route");
  return tables.map((table) => routes.filter(({ inputs }) => inputs.routeTableId === table));
}

describe.each([
  ["prod", prod],
  ["dev", dev],
])("the network of %s", (_, plan) => {
  test("is seed 004's, with the database tier inside its range", () => {
    const vpc = only(plan, "aws:ec2/vpc:Vpc").inputs;
    expect(vpc.cidrBlock).toBe("10.1.0.0/20");
    const blocks = Object.fromEntries(subnets(plan).map(({ name, inputs }) => [name, inputs.cidrBlock]));
    expect(blocks).toEqual({
      PublicSubnetA: "10.1.1.0/24",
      PublicSubnetB: "10.1.2.0/24",
      PrivateSubnetA: "10.1.11.0/24",
      PrivateSubnetB: "10.1.12.0/24",
      DatabaseSubnetA: "10.1.13.0/24",
      DatabaseSubnetB: "10.1.14.0/24",
    });
    const [first, last] = range(vpc.cidrBlock);
    const ranges = Object.values(blocks).map(range);
    for (const [from, to] of ranges) {
      expect(from).toBeGreaterThanOrEqual(first);
      expect(to).toBeLessThanOrEqual(last);
      expect(ranges.filter(([a, b]) => a <= to && b >= from)).toHaveLength(1);
    }
    for (const { name, inputs } of subnets(plan)) {
      expect(inputs.availabilityZone).toBe(`eu-central-1${name.at(-1)?.toLowerCase()}`);
      expect(inputs.mapPublicIpOnLaunch).toBe(false);
    }
  });

  test("leads the public tier to the internet, the private one through NAT, the database one nowhere", () => {
    for (const [route] of waysOut(plan, "Public")) {
      expect(route?.inputs).toMatchObject({
        destinationCidrBlock: "0.0.0.0/0",
        gatewayId: "InternetGateway-id",
      });
    }
    for (const [route] of waysOut(plan, "Private")) expect(route?.inputs.natGatewayId).toMatch(/^NatGateway/);
    expect(waysOut(plan, "Database").flat()).toEqual([]);
    expect(ofType(plan, "aws:ec2/vpcPeeringConnection:VpcPeeringConnection")).toEqual([]);
  });

  test("reaches S3 and DynamoDB by gateway endpoints from the private tier", () => {
    const endpoints = ofType(plan, "aws:ec2/vpcEndpoint:VpcEndpoint");
    expect(endpoints.map(({ inputs }) => inputs.serviceName).sort()).toEqual([
      "com.amazonaws.eu-central-1.dynamodb",
      "com.amazonaws.eu-central-1.s3",
    ]);
    for (const { inputs } of endpoints) {
      expect(inputs.vpcEndpointType).toBe("Gateway");
      expect(inputs.routeTableIds).toEqual(["PrivateRoutesA-id", "PrivateRoutesB-id"]);
    }
  });

  test("writes down all its traffic", () => {
    expect(only(plan, "aws:ec2/flowLog:FlowLog").inputs).toMatchObject({
      vpcId: "Vpc-id",
      trafficType: "ALL",
    });
  });

  test("lets only the private tier speak to the database tier", () => {
    const { inputs } = only(plan, "aws:ec2/networkAcl:NetworkAcl");
    expect(inputs.subnetIds).toEqual(["DatabaseSubnetA-id", "DatabaseSubnetB-id"]);
    for (const rule of inputs.ingress)
      expect(rule).toMatchObject({ fromPort: 5432, toPort: 5432, action: "allow" });
    expect(inputs.ingress.map(({ cidrBlock }: { cidrBlock: string }) => cidrBlock)).toEqual([
      "10.1.11.0/24",
      "10.1.12.0/24",
    ]);
  });

  test("has a default security group that lets nothing through", () => {
    expect(only(plan, "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup").inputs).toMatchObject({
      ingress: [],
      egress: [],
    });
  });

  test("has security groups exactly as seed 004 §5.2", () => {
    const rules = ofType(plan, "aws:ec2/securityGroupRule:SecurityGroupRule").map(({ inputs: i }) => {
      expect(i.fromPort).toBe(i.toPort);
      expect(i.protocol).toBe("tcp");
      return `${i.securityGroupId} ${i.type} ${i.fromPort} ${i.cidrBlocks?.join() ?? i.sourceSecurityGroupId}`;
    });
    expect(rules.sort()).toEqual([
      "AlbGroup-id egress 4000 FargateGroup-id",
      "AlbGroup-id ingress 443 0.0.0.0/0",
      "AlbGroup-id ingress 80 0.0.0.0/0",
      "FargateGroup-id egress 443 0.0.0.0/0",
      "FargateGroup-id egress 5432 RdsGroup-id",
      "FargateGroup-id ingress 4000 AlbGroup-id",
    ]);
    const database = only(plan, "aws:ec2/securityGroup:SecurityGroup", "RdsGroup").inputs;
    expect(database.egress).toEqual([]);
    expect(database.ingress).toEqual([
      expect.objectContaining({ fromPort: 5432, toPort: 5432, securityGroups: ["FargateGroup-id"] }),
    ]);
  });

  test("opens the central path from the link to the proxy's port, and no host at all", () => {
    const group = (name: string) => only(plan, "aws:ec2/securityGroup:SecurityGroup", name).inputs;
    // Not even from inside: the link's traffic passes beside the rules, nobody else's does.
    expect(group("NlbGroup").ingress).toEqual([]);
    expect(only(plan, "aws:lb/loadBalancer:LoadBalancer", "CentralModelBalancer").inputs).toMatchObject({
      internal: true,
      enforceSecurityGroupInboundRulesOnPrivateLinkTraffic: "off",
    });
    expect(group("CentralGroup").ingress).toEqual([
      expect.objectContaining({ fromPort: 8000, toPort: 8000, securityGroups: ["NlbGroup-id"] }),
    ]);
    expect(group("CentralHostGroup").ingress).toEqual([]);
  });
});

test("prod has a NAT gateway in each zone, used by that zone; dev has one", () => {
  expect(ofType(prod, "aws:ec2/natGateway:NatGateway").map(({ inputs }) => inputs.subnetId)).toEqual([
    "PublicSubnetA-id",
    "PublicSubnetB-id",
  ]);
  expect(waysOut(prod, "Private").map(([route]) => route?.inputs.natGatewayId)).toEqual([
    "NatGatewayA-id",
    "NatGatewayB-id",
  ]);
  expect(ofType(dev, "aws:ec2/natGateway:NatGateway")).toHaveLength(1);
});

describe("the internet", () => {
  test.each([
    ["prod", prod],
    ["dev", dev],
  ])("reaches nothing in %s but the load balancer, CloudFront and the two APIs", (_, plan) => {
    const balancers = ofType(plan, "aws:lb/loadBalancer:LoadBalancer").filter(
      ({ inputs }) => !inputs.internal,
    );
    expect(balancers.map(({ name }) => name)).toEqual(["GatewayBalancer"]);
    const open = [
      ...ofType(plan, "aws:ec2/securityGroup:SecurityGroup").filter(({ inputs }) =>
        JSON.stringify(inputs.ingress ?? []).includes("0.0.0.0/0"),
      ),
      ...ofType(plan, "aws:ec2/securityGroupRule:SecurityGroupRule").filter(
        ({ inputs }) => inputs.type === "ingress" && inputs.cidrBlocks?.includes("0.0.0.0/0"),
      ),
    ];
    expect(open.map(({ name }) => name).sort()).toEqual(["AlbFromInternetPlain", "AlbFromInternetTls"]);
    for (const { inputs } of ofType(plan, "aws:ecs/service:Service")) {
      expect(inputs.networkConfiguration.assignPublicIp).toBe(false);
      expect(inputs.networkConfiguration.subnets).toEqual(["PrivateSubnetA-id", "PrivateSubnetB-id"]);
    }
    expect(only(plan, "aws:rds/instance:Instance").inputs.publiclyAccessible).toBe(false);
    expect(ofType(plan, "aws:lambda/functionUrl:FunctionUrl")).toEqual([]);
    const blocked = ofType(plan, "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock");
    for (const bucket of ofType(plan, "aws:s3/bucket:Bucket")) {
      const block = blocked.find(({ inputs }) => inputs.bucket === (bucket.inputs.bucket ?? bucket.name));
      expect(block?.inputs, bucket.name).toMatchObject({
        blockPublicAcls: true,
        blockPublicPolicy: true,
        ignorePublicAcls: true,
        restrictPublicBuckets: true,
      });
    }
  });
});
