/**
 * AWS's list prices of what an audited request uses, in US dollars. Standing: 2026-11-21. `from` says how we know:
 * AWS's pricing pages carry no figures in the copies that we could search, so "memory" is to be checked before a budget
 * is built on it.
 */
export type Region = "us-east-1" | "eu-central-1";

export interface ListPrice {
  what: string;
  /** What is counted in millions. */
  unit: string;
  usdPerMillion: Record<Region, number>;
  from: string;
}

const both = (usd: number) => ({ "us-east-1": usd, "eu-central-1": usd });

export const PRICES_OF = "2026-11-21";

export const PRICES = {
  put: {
    what: "S3 PUT, POST, COPY, LIST (Standard)",
    unit: "requests",
    usdPerMillion: { "us-east-1": 5, "eu-central-1": 5.4 },
    from: "us-east-1: issue 3; eu-central-1: memory",
  },
  get: {
    what: "S3 GET, HEAD (Standard)",
    unit: "requests",
    usdPerMillion: { "us-east-1": 0.4, "eu-central-1": 0.43 },
    from: "memory",
  },
  sqs: {
    what: "SQS, standard queue; each call is a request, up to 64 KB and ten messages",
    unit: "requests",
    usdPerMillion: both(0.4),
    from: "memory",
  },
  write: {
    what: "DynamoDB write request units, on demand, Standard class",
    unit: "units",
    usdPerMillion: { "us-east-1": 0.625, "eu-central-1": 0.7625 },
    from: "us-east-1: airbyte.com/data-engineering-resources/dynamodb-pricing (July 2025); eu-central-1: memory",
  },
  invocation: { what: "Lambda requests", unit: "requests", usdPerMillion: both(0.2), from: "memory" },
  gbSecond: { what: "Lambda GB-seconds, arm64", unit: "GB-s", usdPerMillion: both(13.3334), from: "memory" },
  kms: { what: "KMS requests", unit: "requests", usdPerMillion: both(3), from: "memory" },
} satisfies Record<string, ListPrice>;

export type Priced = keyof typeof PRICES;

/** @param perRequest how many of each one audited request takes @returns dollars per million audited requests */
export function costPerMillion(perRequest: Record<Priced, number>, region: Region): number {
  return Object.entries(perRequest).reduce(
    (sum, [name, count]) => sum + count * PRICES[name as Priced].usdPerMillion[region],
    0,
  );
}
