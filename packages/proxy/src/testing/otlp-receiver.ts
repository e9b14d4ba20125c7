/** A collector: takes OTLP over HTTP, keeps what came. Spans and metrics are read from its JSON form. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

interface Value {
  stringValue?: string;
  intValue?: number | string;
  doubleValue?: number;
  boolValue?: boolean;
  arrayValue?: { values: Value[] };
}
interface KeyValue {
  key: string;
  value: Value;
}

export interface ReceivedSpan {
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  name: string;
  kind: number;
  /** Milliseconds. */
  start: number;
  end: number;
  status: number;
  attributes: Record<string, unknown>;
  resource: Record<string, unknown>;
}

export interface ReceivedPoint {
  name: string;
  unit: string;
  count: number;
  sum: number;
  attributes: Record<string, unknown>;
}

const plain = (value: Value): unknown =>
  value.arrayValue
    ? value.arrayValue.values.map(plain)
    : (value.stringValue ?? value.boolValue ?? value.doubleValue ?? Number(value.intValue));
const object = (pairs: KeyValue[] = []) =>
  Object.fromEntries(pairs.map(({ key, value }) => [key, plain(value)]));

/* biome-ignore-start lint/suspicious/noExplicitAny: another system's JSON, read once */
export class OtlpReceiver {
  /** Path, content type and size of each request. */
  readonly requests: { path: string; type: string; bytes: number }[] = [];
  readonly spans: ReceivedSpan[] = [];
  /** As each export says: cumulative. */
  points: ReceivedPoint[] = [];
  readonly #server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      const type = request.headers["content-type"] ?? "";
      this.requests.push({ path: request.url ?? "", type, bytes: body.length });
      if (type === "application/json") this.#take(JSON.parse(body.toString()));
      response.setHeader("content-type", type);
      response.end(type === "application/json" ? "{}" : "");
    });
  });

  static async start(): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver();
    receiver.#server.listen(0, "127.0.0.1");
    await once(receiver.#server, "listening");
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #take(json: any): void {
    for (const { resource, scopeSpans } of json.resourceSpans ?? [])
      for (const { spans } of scopeSpans)
        for (const span of spans)
          this.spans.push({
            ...span,
            start: Number(BigInt(span.startTimeUnixNano) / 1_000n) / 1_000,
            end: Number(BigInt(span.endTimeUnixNano) / 1_000n) / 1_000,
            status: span.status?.code ?? 0,
            attributes: object(span.attributes),
            resource: object(resource.attributes),
          });
    if (!json.resourceMetrics) return;
    this.points = json.resourceMetrics.flatMap(({ scopeMetrics }: any) =>
      scopeMetrics.flatMap(({ metrics }: any) =>
        metrics.flatMap(({ name, unit, histogram }: any) =>
          histogram.dataPoints.map((point: any) => ({
            name,
            unit,
            count: Number(point.count),
            sum: point.sum,
            attributes: object(point.attributes),
          })),
        ),
      ),
    );
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}
/* biome-ignore-end lint/suspicious/noExplicitAny: see above */
