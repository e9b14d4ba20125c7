/**
 * Names and settings that the local platform and infra/ share, so that they cannot drift. Names are the seeds'.
 */
export const TABLE_NAME = "CentralLLMAudit";
export const AUDIT_BUCKET = "central-llm-audit";
export const RAW_ARCHIVE_BUCKET = "central-llm-audit-raw";
export const COST_TRACKING_BUCKET = "llmlite-cost-tracking";
export const AUDIT_PREFIX = "logs";
export const INGEST_QUEUE = "llm-audit-ingest";
export const DEAD_LETTER_QUEUE = "llm-audit-dlq";
export const INGEST_FUNCTION = "llm-audit-ingest";
export const RECONCILE_FUNCTION = "llm-audit-reconcile";
export const DIGEST_FUNCTION = "llm-audit-digest";
export const REPLAY_FUNCTION = "llm-audit-replay";
/** The KMS key that signs digests, by its alias. */
export const DIGEST_KEY_ALIAS = "alias/central-llm-digest";
export const API_FUNCTION = "llm-audit-api";
export const ROLLUP_FUNCTION = "llm-audit-rollup";
export const EXPORT_FUNCTION = "llm-audit-export";
export const EXPORT_QUEUE = "llm-audit-exports";
export const EXPORT_DEAD_LETTER_QUEUE = "llm-audit-exports-dlq";
export const EXPORT_BUCKET = "central-llm-exports";
/** Two bodies of AUDIT_MAX_BODY_BYTES (1 MB), which JSON may write six times as long, and what is around them. */
export const MAX_OBJECT_BYTES = 16 * 1024 * 1024;
export const MAX_PREVIEW_CHARS = 2048;

/** SQS → Lambda event source mapping of the ingest function. */
export const INGEST = {
  batchSize: 100,
  /** Seconds that a batch may fill before the function is called. */
  batchingWindow: 1,
  maxConcurrency: 10,
  /** Failed receives before SQS itself moves a message to the dead-letter queue. */
  maxReceiveCount: 5,
  timeoutSeconds: 60,
  memoryMb: 512,
  /** AWS asks for at least six times the function's time-out. */
  visibilityTimeoutSeconds: 360,
  /** 14 days, SQS's maximum. */
  retentionSeconds: 1_209_600,
} as const;

/** Schedule of the reconcile function: each settled hour is checked within the next one. */
export const RECONCILE = { everyMinutes: 60, timeoutSeconds: 900, memoryMb: 1024 } as const;

/** Schedule of the digest function; `lookBackDays` is how late an object may come and still be found. */
export const DIGEST = { everyMinutes: 60, timeoutSeconds: 900, memoryMb: 1024, lookBackDays: 2 } as const;

export const REPLAY = { timeoutSeconds: 300, memoryMb: 512 } as const;
/** The rollup function counts what charts show; EventBridge's shortest interval. */
export const ROLLUP = { everyMinutes: 1, timeoutSeconds: 300, memoryMb: 1024 } as const;

/** The export function makes auditors' files. */
export const EXPORT = {
  timeoutSeconds: 900,
  memoryMb: 1024,
  maxConcurrency: 2,
  maxReceiveCount: 3,
  /** AWS asks for at least six times the function's time-out. */
  visibilityTimeoutSeconds: 5_400,
} as const;

/** Ports before PORT_OFFSET, all on 127.0.0.1. */
export const PORTS = {
  edge: 8080,
  centralProxy: 8000,
  demoModel: 8001,
  gateway: 4000,
  /** The local stand-in of Amazon Bedrock's runtime. */
  bedrock: 4567,
  console: 3000,
  issuer: 3001,
  aws: 4566,
  postgres: 5433,
} as const;

/** The headers that name a caller on the central path (seed 002 §10). */
export const REQUIRED_HEADERS = ["x-llm-source", "x-llm-user", "x-llm-request-type"] as const;
/** Set by API Gateway from the caller's API key, never taken from a client. */
export const API_KEY_ID_HEADER = "x-llm-api-key-id";

/**
 * How node runs the proxy, wherever it is started. A young generation of 4 MB a half instead of V8's 16: 500 hostile connections then
 * cost less than 256 MB of memory instead of some 275, for the same CPU (docs/performance.md): little that a request makes
 * outlives it.
 */
export const PROXY_NODE_OPTIONS = "--max-semi-space-size=4";

/**
 * The same for profile gateway. Its requests make many times as much and live through two round trips: with 4 MB, 17 KB of each
 * grew old, and every few seconds a collection of the old generation stopped the process for 30 ms.
 */
export const GATEWAY_NODE_OPTIONS = "--max-semi-space-size=16";
