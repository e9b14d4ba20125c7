/** What AWS would answer for a new resource: ids, ARNs and addresses that other resources refer to. */
import type { Inputs } from "./resource.ts";

/** Documentation's account number; no real one appears in a plan. */
export const ACCOUNT = "123456789012";
const DIGEST = `sha256:${"0".repeat(64)}`;

export interface Created {
  type: string;
  name: string;
  inputs: Inputs;
}

/** Outputs of a resource beyond its inputs. `id` among them, when AWS's id is not the logical name's. */
export function stateOf({ type, name, inputs: i }: Created, region: string): Inputs {
  const kind = type.split(":")[2] ?? type;
  const service = (type.split(":")[1] ?? "").split("/")[0] ?? "";
  const label = i.name ?? i.bucket ?? i.identifier ?? i.family ?? name;
  const arn = (of: string, rest: string) => `arn:aws:${of}:${region}:${ACCOUNT}:${rest}`;
  const base: Inputs = { name: label, arn: arn(service, `${kind.toLowerCase()}/${label}`) };
  const states: Record<string, () => Inputs> = {
    "aws:s3/bucket:Bucket": () => ({
      id: label,
      bucket: label,
      arn: `arn:aws:s3:::${label}`,
      bucketDomainName: `${label}.s3.amazonaws.com`,
      bucketRegionalDomainName: `${label}.s3.${region}.amazonaws.com`,
      hostedZoneId: "Z3",
    }),
    "aws:sqs/queue:Queue": () => {
      const url = `https://sqs.${region}.amazonaws.com/${ACCOUNT}/${label}`;
      return { id: url, url, name: label, arn: arn("sqs", label) };
    },
    "aws:sns/topic:Topic": () => ({ id: arn("sns", label), name: label, arn: arn("sns", label) }),
    "aws:dynamodb/table:Table": () => ({ id: label, name: label, arn: arn("dynamodb", `table/${label}`) }),
    "aws:lambda/function:Function": () => {
      const own = arn("lambda", `function:${label}`);
      const invoke = `arn:aws:apigateway:${region}:lambda:path/2015-03-31/functions/${own}/invocations`;
      return { id: label, name: label, arn: own, version: "1", qualifiedArn: `${own}:1`, invokeArn: invoke };
    },
    "aws:iam/role:Role": () => ({
      id: label,
      name: label,
      arn: `arn:aws:iam::${ACCOUNT}:role/${label}`,
    }),
    "aws:iam/instanceProfile:InstanceProfile": () => ({
      name: label,
      arn: `arn:aws:iam::${ACCOUNT}:instance-profile/${label}`,
    }),
    "aws:kms/key:Key": () => ({ keyId: `${name}-id`, arn: arn("kms", `key/${name}-id`) }),
    "aws:cloudwatch/logGroup:LogGroup": () => ({
      id: label,
      name: label,
      arn: arn("logs", `log-group:${label}`),
    }),
    "aws:lb/loadBalancer:LoadBalancer": () => {
      const suffix = `${i.loadBalancerType === "network" ? "net" : "app"}/${label}/0123456789abcdef`;
      return {
        ...base,
        arn: arn("elasticloadbalancing", `loadbalancer/${suffix}`),
        arnSuffix: suffix,
        dnsName: `${label}.elb.${region}.amazonaws.com`,
        zoneId: "Z35",
      };
    },
    "aws:lb/targetGroup:TargetGroup": () => ({
      ...base,
      arn: arn("elasticloadbalancing", `targetgroup/${label}/0123456789abcdef`),
      arnSuffix: `targetgroup/${label}/0123456789abcdef`,
    }),
    "aws:apigateway/restApi:RestApi": () => ({
      ...base,
      rootResourceId: "root",
      executionArn: arn("execute-api", name),
    }),
    "aws:apigateway/stage:Stage": () => ({
      ...base,
      arn: `arn:aws:apigateway:${region}::/restapis/${i.restApi}/stages/${i.stageName}`,
      invokeUrl: `https://${i.restApi}.execute-api.${region}.amazonaws.com/${i.stageName}`,
    }),
    "aws:apigatewayv2/api:Api": () => ({
      ...base,
      apiEndpoint: `https://${name}.execute-api.${region}.amazonaws.com`,
      executionArn: arn("execute-api", name),
    }),
    "aws:rds/instance:Instance": () => ({
      ...base,
      id: label,
      arn: arn("rds", `db:${label}`),
      address: `${label}.${region}.rds.amazonaws.com`,
      port: 5432,
      masterUserSecrets: [
        { secretArn: arn("secretsmanager", `secret:rds!${label}`), secretStatus: "active" },
      ],
    }),
    "aws:secretsmanager/secret:Secret": () => ({ ...base, arn: arn("secretsmanager", `secret:${label}`) }),
    "aws:ssm/parameter:Parameter": () => ({ ...base, arn: arn("ssm", `parameter${label}`) }),
    "aws:ecr/repository:Repository": () => ({
      ...base,
      arn: arn("ecr", `repository/${label}`),
      repositoryUrl: `${ACCOUNT}.dkr.ecr.${region}.amazonaws.com/${label}`,
    }),
    "aws:ecs/cluster:Cluster": () => ({ ...base, arn: arn("ecs", `cluster/${label}`) }),
    "aws:ecs/service:Service": () => ({
      ...base,
      id: arn("ecs", `service/${String(i.cluster).split("/").at(-1)}/${label}`),
    }),
    "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream": () => ({
      ...base,
      arn: arn("firehose", `deliverystream/${label}`),
    }),
    "aws:sfn/stateMachine:StateMachine": () => ({ ...base, arn: arn("states", `stateMachine:${label}`) }),
    "aws:ecs/taskDefinition:TaskDefinition": () => ({
      ...base,
      arn: arn("ecs", `task-definition/${i.family}:1`),
      arnWithoutRevision: arn("ecs", `task-definition/${i.family}`),
    }),
    "aws:cognito/userPool:UserPool": () => ({
      ...base,
      id: `${region}_pool`,
      arn: arn("cognito-idp", `userpool/${region}_pool`),
      endpoint: `cognito-idp.${region}.amazonaws.com/${region}_pool`,
    }),
    "aws:cloudfront/distribution:Distribution": () => ({
      ...base,
      arn: `arn:aws:cloudfront::${ACCOUNT}:distribution/${name}`,
      domainName: `${name.toLowerCase()}.cloudfront.net`,
      hostedZoneId: "Z2FDTNDATAQYW2",
    }),
    "aws:acm/certificate:Certificate": () => ({
      ...base,
      arn: arn("acm", `certificate/${name}`),
      domainValidationOptions: [i.domainName].map((domainName) => ({
        domainName,
        resourceRecordName: `_validate.${domainName}`,
        resourceRecordType: "CNAME",
        resourceRecordValue: "validate.example.com",
      })),
    }),
    "random:index/randomPassword:RandomPassword": () => ({ result: "mock-password" }),
    "random:index/randomBytes:RandomBytes": () => ({ base64: "AA==", hex: "00" }),
    "random:index/randomId:RandomId": () => ({ hex: "00000000", b64Url: "AAAA", dec: "0" }),
    "docker-build:index:Image": () => ({ digest: DIGEST, ref: `${i.tags?.[0]}@${DIGEST}` }),
    "command:local:Command": () => ({ stdout: "", stderr: "" }),
  };
  return (states[type] ?? (() => base))();
}
