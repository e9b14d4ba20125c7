/** What S3 does and fauxqs does not: conditions, notifications, listing in order, refusal of what is unknown. */
import type { DatabaseSync } from "node:sqlite";
import * as Fauxqs from "./fauxqs-internals.ts";
import { listObjectsV2 } from "./s3-listing.ts";
import * as Notification from "./s3-notification.ts";

const SUB_RESOURCES = new Set(
  (
    "uploads uploadId partNumber list-type prefix delimiter max-keys continuation-token start-after marker " +
    "encoding-type fetch-owner delete attributes notification x-id response-content-type response-content-disposition"
  ).split(" "),
);

function errorXml(code: string, message: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
}

function refuse(reply: Fauxqs.Reply, status: number, code: string, message: string): void {
  reply.code(status).header("content-type", "application/xml").send(errorXml(code, message));
}

/** @param database where notifications' configurations are kept; undefined: in memory */
export function s3Requests(
  objects: Fauxqs.ObjectStore,
  queues: Fauxqs.QueueStore,
  region: string,
  database: DatabaseSync | undefined,
) {
  database?.exec(
    "CREATE TABLE IF NOT EXISTS s3_notifications (bucket TEXT PRIMARY KEY, configuration TEXT NOT NULL)",
  );
  const notifications = new Map<string, Notification.QueueConfiguration[]>(
    database
      ?.prepare("SELECT bucket, configuration FROM s3_notifications")
      .all()
      .map((row) => [String(row.bucket), JSON.parse(String(row.configuration))]),
  );
  // Set just before a handler that stores an object runs, in the same synchronous turn.
  let eventName = "ObjectCreated:Put";
  objects.spy = {
    addMessage({ status, bucket, key }) {
      if (status !== "uploaded") return;
      const stored = objects.headObject(bucket, key);
      for (const configuration of notifications.get(bucket) ?? []) {
        if (!Notification.matches(configuration, eventName, key)) continue;
        const body = Notification.eventMessage({
          region,
          name: eventName,
          configurationId: configuration.id,
          bucket,
          key,
          size: stored.contentLength,
          eTag: stored.etag.replaceAll('"', ""),
        });
        queues.getQueueByArn(configuration.queueArn)?.enqueue(Fauxqs.newMessage(body));
      }
    },
  };

  function configureNotification(bucket: string, xml: string, reply: Fauxqs.Reply): void {
    let wanted: Notification.QueueConfiguration[];
    try {
      wanted = Notification.parseConfiguration(xml);
    } catch (error) {
      refuse(reply, 501, "NotImplemented", error instanceof Error ? error.message : String(error));
      return;
    }
    const targets = wanted.map(({ queueArn }) => queues.getQueueByArn(queueArn));
    if (targets.includes(undefined)) {
      refuse(reply, 400, "InvalidArgument", "Unable to validate the following destination configurations");
      return;
    }
    notifications.set(bucket, wanted);
    database
      ?.prepare("INSERT OR REPLACE INTO s3_notifications (bucket, configuration) VALUES (?, ?)")
      .run(bucket, JSON.stringify(wanted));
    for (const queue of targets) queue?.enqueue(Fauxqs.newMessage(Notification.testEventMessage(bucket)));
    reply.code(200).send("");
  }

  function answer(request: Fauxqs.Request, reply: Fauxqs.Reply): boolean {
    const { bucket = "", "*": key = "" } = request.params;
    const unknown = Object.keys(request.query).find(
      (name) => !SUB_RESOURCES.has(name) && !/^x-amz-/i.test(name),
    );
    if (unknown) {
      refuse(reply, 501, "NotImplemented", `The sub-resource ${unknown} is not implemented locally`);
      return true;
    }
    const held = objects.buckets.get(bucket);
    if (!key && ("notification" in request.query || request.query["list-type"] === "2")) {
      if (!held) refuse(reply, 404, "NoSuchBucket", "The specified bucket does not exist");
      else if (request.method === "PUT") configureNotification(bucket, String(request.body), reply);
      else {
        const xml =
          "notification" in request.query
            ? Notification.configurationXml(notifications.get(bucket) ?? [])
            : listObjectsV2(bucket, held, request.query);
        reply.code(200).header("content-type", "application/xml").send(xml);
      }
      return true;
    }
    const disposition = request.query["response-content-disposition"];
    // What a link says of the file's name goes for its answer alone.
    if (request.method === "GET" && key && disposition !== undefined) {
      reply.header("content-disposition", disposition);
    }
    const completes = request.method === "POST" && request.query.uploadId !== undefined;
    if ((request.method === "PUT" && key && request.query.uploadId === undefined) || completes) {
      const current = held?.get(key);
      const { "if-none-match": unless, "if-match": only } = request.headers;
      if ((unless === "*" && current) || (only && current?.etag !== only)) {
        refuse(
          reply,
          412,
          "PreconditionFailed",
          "At least one of the pre-conditions you specified did not hold",
        );
        return true;
      }
      const copied = request.headers["x-amz-copy-source"] !== undefined;
      eventName = `ObjectCreated:${completes ? "CompleteMultipartUpload" : copied ? "Copy" : "Put"}`;
    }
    return false;
  }

  /** Answers what fauxqs cannot; false when fauxqs is to answer, in the same synchronous turn. */
  return { answer };
}
