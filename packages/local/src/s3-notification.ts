/** S3 event notifications to SQS: their configuration (`?notification`) and the messages, as AWS writes them. */
import { randomBytes } from "node:crypto";

export interface QueueConfiguration {
  id: string;
  queueArn: string;
  /** `s3:ObjectCreated:*`, `s3:ObjectCreated:Put` … */
  events: string[];
  prefix: string;
  suffix: string;
}

const entities: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
const unescapeXml = (text: string) =>
  text.replace(/&(lt|gt|quot|apos|amp);/g, (_, name) => entities[name] ?? _);
const escapeXml = (text: string) => text.replace(/[<>&"']/g, (char) => `&#${char.charCodeAt(0)};`);

function elements(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}(?:\\s[^>]*)?>([\\s\\S]*?)</${name}>`, "g"))].map(
    (match) => match[1] ?? "",
  );
}

/** @throws RangeError for destinations other than queues */
export function parseConfiguration(xml: string): QueueConfiguration[] {
  if (/<(TopicConfiguration|CloudFunctionConfiguration|EventBridgeConfiguration)\b/.test(xml)) {
    throw new RangeError("only QueueConfiguration is implemented locally");
  }
  return elements(xml, "QueueConfiguration").map((configuration, index) => {
    const rules = new Map(
      elements(configuration, "FilterRule").map((rule) => [
        (elements(rule, "Name")[0] ?? "").toLowerCase(),
        unescapeXml(elements(rule, "Value")[0] ?? ""),
      ]),
    );
    return {
      id: elements(configuration, "Id")[0] ?? `queue-${index + 1}`,
      queueArn: elements(configuration, "Queue")[0] ?? "",
      events: elements(configuration, "Event"),
      prefix: rules.get("prefix") ?? "",
      suffix: rules.get("suffix") ?? "",
    };
  });
}

export function configurationXml(configurations: QueueConfiguration[]): string {
  const rule = (name: string, value: string) =>
    value ? `<FilterRule><Name>${name}</Name><Value>${escapeXml(value)}</Value></FilterRule>` : "";
  const body = configurations.map(
    ({ id, queueArn, events, prefix, suffix }) =>
      `<QueueConfiguration><Id>${escapeXml(id)}</Id><Queue>${queueArn}</Queue>` +
      events.map((event) => `<Event>${event}</Event>`).join("") +
      `<Filter><S3Key>${rule("prefix", prefix)}${rule("suffix", suffix)}</S3Key></Filter></QueueConfiguration>`,
  );
  return `<?xml version="1.0" encoding="UTF-8"?><NotificationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${body.join("")}</NotificationConfiguration>`;
}

/** @param event without `s3:`, e.g. `ObjectCreated:Put` */
export function matches(configuration: QueueConfiguration, event: string, key: string): boolean {
  return (
    key.startsWith(configuration.prefix) &&
    key.endsWith(configuration.suffix) &&
    configuration.events.some((wanted) =>
      wanted.endsWith("*") ? `s3:${event}`.startsWith(wanted.slice(0, -1)) : wanted === `s3:${event}`,
    )
  );
}

/** AWS encodes keys in events like a form: `+` for a space, `/` left alone. */
export function encodeKey(key: string): string {
  return encodeURIComponent(key)
    .replaceAll("%2F", "/")
    .replaceAll("%20", "+")
    .replace(/[!'()~]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

let sequence = 0;
/** Grows with every event, across restarts too. */
function sequencer(): string {
  sequence = (sequence + 1) & 0xfffff;
  return ((BigInt(Date.now()) << 20n) | BigInt(sequence)).toString(16).toUpperCase().padStart(18, "0");
}

const requestId = () => randomBytes(8).toString("hex").toUpperCase();

export function eventMessage(event: {
  region: string;
  name: string;
  configurationId: string;
  bucket: string;
  key: string;
  size: number;
  eTag: string;
}): string {
  return JSON.stringify({
    Records: [
      {
        eventVersion: "2.1",
        eventSource: "aws:s3",
        awsRegion: event.region,
        eventTime: new Date().toISOString(),
        eventName: event.name,
        userIdentity: { principalId: "AWS:LOCAL" },
        requestParameters: { sourceIPAddress: "127.0.0.1" },
        responseElements: { "x-amz-request-id": requestId(), "x-amz-id-2": "local" },
        s3: {
          s3SchemaVersion: "1.0",
          configurationId: event.configurationId,
          bucket: {
            name: event.bucket,
            ownerIdentity: { principalId: "LOCAL" },
            arn: `arn:aws:s3:::${event.bucket}`,
          },
          object: {
            key: encodeKey(event.key),
            size: event.size,
            eTag: event.eTag,
            sequencer: sequencer(),
          },
        },
      },
    ],
  });
}

/** What S3 sends to each queue once when a notification is configured. */
export function testEventMessage(bucket: string): string {
  return JSON.stringify({
    Service: "Amazon S3",
    Event: "s3:TestEvent",
    Time: new Date().toISOString(),
    Bucket: bucket,
    RequestId: requestId(),
    HostId: "local",
  });
}
