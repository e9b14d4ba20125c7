/**
 * The Logs Insights queries of seed 004 §8.4, saved in the account. The application's read the proxy's access lines:
 * JSON with `msg: "request"`, `statusCode`, `userId`, `keyAlias`, `model`, `latencyMs`, `totalTokens`, `outcome`.
 */

import { firewallLogs } from "./firewall-logs.ts";
import { databaseLogs } from "./gateway-database.ts";
import { containerLogs } from "./gateway-service.ts";
import { named } from "./stage.ts";

export const FIREWALL = {
  "top-blocked-ips":
    'filter action = "BLOCK" | stats count(*) as blocks by httpRequest.clientIp | sort blocks desc | limit 25',
  "top-triggered-rules":
    "stats count(*) as matches by terminatingRuleId, action | sort matches desc | limit 25",
  "false-positives":
    'filter action = "BLOCK" and httpRequest.uri like /^\\/v1\\// | fields @timestamp, httpRequest.clientIp, terminatingRuleId, httpRequest.uri | sort @timestamp desc | limit 100',
  "block-rate-over-time":
    'stats sum(strcontains(action, "BLOCK")) * 100 / count(*) as blockedPercent by bin(5m)',
  "recent-blocks":
    'filter action = "BLOCK" | fields @timestamp, httpRequest.clientIp, terminatingRuleId, httpRequest.uri | sort @timestamp desc | limit 20',
};

export const APPLICATION = {
  "top-errors":
    "filter level >= 40 or @message like /ERROR/ | stats count(*) as errors by msg | sort errors desc | limit 25",
  "top-users-by-requests":
    'filter msg = "request" | stats count(*) as requests by userId | sort requests desc | limit 25',
  "top-users-by-tokens":
    'filter msg = "request" | stats sum(totalTokens) as tokens by userId | sort tokens desc | limit 25',
  "authentication-failures":
    "filter statusCode = 401 | stats count(*) as failures by keyAlias, clientIp | sort failures desc | limit 25",
  "rate-limited-requests":
    "filter statusCode = 429 | stats count(*) as limited by userId, keyAlias | sort limited desc | limit 25",
  "budget-exceeded":
    'filter statusCode = 403 and errorCode = "budget_exceeded" | stats count(*) as refused, latest(@timestamp) as last by userId, keyAlias | sort refused desc | limit 25',
  "response-time-by-model":
    'filter msg = "request" | stats avg(latencyMs) as average, pct(latencyMs, 95) as p95, count(*) as requests by model',
};

const DATABASE = {
  "slow-queries":
    "filter @message like /duration: [0-9]{4,}/ | parse @message /duration: (?<ms>[0-9.]+) ms/ | sort ms desc | limit 50",
  "connection-errors":
    "filter @message like /connection|authentication failed|too many clients/ and @message like /FATAL|ERROR/ | stats count(*) as errors by bin(5m)",
  deadlocks:
    "filter @message like /deadlock detected/ | fields @timestamp, @message | sort @timestamp desc | limit 50",
};

for (const [folder, group, queries] of [
  ["waf", firewallLogs, FIREWALL],
  ["application", containerLogs, APPLICATION],
  ["database", databaseLogs, DATABASE],
] as const) {
  for (const [name, queryString] of Object.entries(queries)) {
    new aws.cloudwatch.QueryDefinition(`Query-${folder}-${name}`, {
      name: `${named("llmlite")}/${folder}/${name}`,
      logGroupNames: [group.name],
      queryString,
    });
  }
}
