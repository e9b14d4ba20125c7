/**
 * AWS list prices in US dollars, on demand, without tax, free tier and savings plans, as known in November 2025. They are
 * for comparing stages and changes; seed 003's launch checklist rightly asks to confirm them before a launch.
 */
export interface Prices {
  instanceHour: Record<string, number>;
  databaseHour: Record<string, number>;
  databaseGbMonth: number;
  fargateVcpuHour: number;
  fargateGbHour: number;
  volumeGbMonth: number;
  natGatewayHour: number;
  balancerHour: number;
  publicAddressHour: number;
  interfaceEndpointHour: number;
  keyMonth: number;
  secretMonth: number;
  alarmMetricMonth: number;
  dashboardMonth: number;
  webAclMonth: number;
  webAclRuleMonth: number;
  hostedZoneMonth: number;
  /** Per million. */
  requests: {
    s3Put: number;
    /** GET and HEAD. */
    s3Get: number;
    sqs: number;
    dynamoDbWriteUnit: number;
    restApi: number;
    lambdaRequest: number;
    firewall: number;
  };
  lambdaGbSecond: number;
  logsGb: number;
  s3GbMonth: number;
}

const FRANKFURT: Prices = {
  instanceHour: { "g6e.2xlarge": 2.8, "g6e.xlarge": 2.33, "g6.xlarge": 1.006, "g5.2xlarge": 1.52 },
  databaseHour: {
    "db.t4g.micro": 0.018,
    "db.t4g.small": 0.037,
    "db.t4g.medium": 0.073,
    "db.m7g.large": 0.192,
  },
  databaseGbMonth: 0.137,
  fargateVcpuHour: 0.04656,
  fargateGbHour: 0.00511,
  volumeGbMonth: 0.0952,
  natGatewayHour: 0.052,
  balancerHour: 0.027,
  publicAddressHour: 0.005,
  interfaceEndpointHour: 0.012,
  keyMonth: 1,
  secretMonth: 0.4,
  alarmMetricMonth: 0.1,
  dashboardMonth: 3,
  webAclMonth: 5,
  webAclRuleMonth: 1,
  hostedZoneMonth: 0.5,
  requests: {
    s3Put: 5.4,
    s3Get: 0.43,
    sqs: 0.4,
    dynamoDbWriteUnit: 0.7625,
    restApi: 3.7,
    lambdaRequest: 0.2,
    firewall: 0.6,
  },
  lambdaGbSecond: 0.0000133334,
  logsGb: 0.63,
  s3GbMonth: 0.0245,
};

const LONDON: Prices = {
  ...FRANKFURT,
  databaseHour: {
    "db.t4g.micro": 0.018,
    "db.t4g.small": 0.036,
    "db.t4g.medium": 0.072,
    "db.m7g.large": 0.189,
  },
  databaseGbMonth: 0.133,
  natGatewayHour: 0.05,
  balancerHour: 0.02646,
  volumeGbMonth: 0.0928,
  requests: {
    s3Put: 5.3,
    s3Get: 0.42,
    sqs: 0.4,
    dynamoDbWriteUnit: 0.7422,
    restApi: 3.5,
    lambdaRequest: 0.2,
    firewall: 0.6,
  },
  logsGb: 0.5985,
  s3GbMonth: 0.024,
};

const REGIONS: Record<string, Prices> = { "eu-central-1": FRANKFURT, "eu-west-2": LONDON };

export const HOURS_A_MONTH = 730;

/** @throws when the sheet has no prices for the region */
export function pricesIn(region: string): Prices {
  const prices = REGIONS[region];
  if (!prices) throw new Error(`infra/plan/price-sheet.ts has no prices for ${region}`);
  return prices;
}
