/**
 * S3 and SQS on fauxqs, with what the platform relies on and fauxqs lacks or gets wrong:
 * `If-None-Match`/`If-Match` on writes (it ignores them), refusal of S3 sub-resources that it does not know (it takes
 * `PUT key?tagging` for a new body), S3 → SQS notifications, ListObjectsV2's order, `ChangeMessageVisibility(0)`
 * (it loses the message when persistent), long polls whose client has gone (it hands them the message all the same),
 * StartMessageMoveTask.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import * as Fauxqs from "./fauxqs-internals.ts";
import { listObjectsV2 } from "./s3-listing.ts";
import * as Notification from "./s3-notification.ts";
import { moveMessages } from "./sqs-message-move.ts";

const SUB_RESOURCES = new Set(
  (
    "uploads uploadId partNumber list-type prefix delimiter max-keys continuation-token start-after marker " +
    "encoding-type fetch-owner delete attributes notification x-id response-content-type response-content-disposition"
  ).split(" "),
);

export interface ObjectStorage {
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** Queue URLs carry the endpoint's address, which is known only once it listens. */
  listeningAt(url: string): void;
  stop(): Promise<void>;
}

function errorXml(code: string, message: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
}

function refuse(reply: Fauxqs.Reply, status: number, code: string, message: string): void {
  reply.code(status).header("content-type", "application/xml").send(errorXml(code, message));
}

function open(folder: string, queues: Fauxqs.QueueStore, objects: Fauxqs.ObjectStore): Fauxqs.Persistence {
  const persistence = Fauxqs.openPersistence(folder);
  // With a write-ahead log this survives the death of the process; only a power cut may take the last writes.
  persistence.db.exec("PRAGMA synchronous = NORMAL");
  persistence.db.exec(
    "CREATE TABLE IF NOT EXISTS s3_notifications (bucket TEXT PRIMARY KEY, configuration TEXT NOT NULL)",
  );
  // fauxqs writes NULL into a NOT NULL column here, throws, and drops the message.
  const ready = persistence.db.prepare(
    "UPDATE sqs_messages SET receipt_handle = NULL, visibility_deadline = NULL WHERE message_id = ?",
  );
  persistence.updateMessageReady = (messageId) => {
    ready.run(messageId);
  };
  // Loaded before the stores know of it: else loading rewrites each queue, which deletes its messages.
  persistence.load(queues, Fauxqs.newTopicStore(), objects);
  queues.persistence = persistence;
  objects.persistence = persistence;
  for (const queue of queues.allQueues()) {
    queue.persistence = persistence;
    // Whoever had received them is most likely gone too, and AWS's long time-outs would hide them for minutes.
    for (const receiptHandle of [...queue.inflightMessages.keys()]) queue.changeVisibility(receiptHandle, 0);
  }
  return persistence;
}

/** @param folder where data is kept; omitted: in memory */
export async function openObjectStorage(options: {
  folder?: string;
  region: string;
}): Promise<ObjectStorage> {
  const queues = Fauxqs.newQueueStore();
  const objects = Fauxqs.newObjectStore();
  const persistence = options.folder ? open(options.folder, queues, objects) : undefined;
  const notifications = new Map<string, Notification.QueueConfiguration[]>(
    persistence?.db
      .prepare("SELECT bucket, configuration FROM s3_notifications")
      .all()
      .map((row) => [String(row.bucket), JSON.parse(String(row.configuration))]),
  );
  // Without a host, queue URLs are made from the request's Host header.
  queues.host = undefined;

  // Set just before a handler that stores an object runs, in the same synchronous turn.
  let eventName = "ObjectCreated:Put";
  objects.spy = {
    addMessage({ status, bucket, key }) {
      if (status !== "uploaded") return;
      const stored = objects.headObject(bucket, key);
      for (const configuration of notifications.get(bucket) ?? []) {
        if (!Notification.matches(configuration, eventName, key)) continue;
        const body = Notification.eventMessage({
          region: options.region,
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
    persistence?.db
      .prepare("INSERT OR REPLACE INTO s3_notifications (bucket, configuration) VALUES (?, ?)")
      .run(bucket, JSON.stringify(wanted));
    for (const queue of targets) queue?.enqueue(Fauxqs.newMessage(Notification.testEventMessage(bucket)));
    reply.code(200).send("");
  }

  /** Answers what fauxqs cannot; false when fauxqs is to answer. */
  function answerS3(request: Fauxqs.Request, reply: Fauxqs.Reply): boolean {
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

  function answerSqs(request: Fauxqs.Request, reply: Fauxqs.Reply): boolean {
    if (request.headers["x-amz-target"] !== "AmazonSQS.StartMessageMoveTask") return false;
    const outcome = moveMessages(queues, request.body as { SourceArn?: string; DestinationArn?: string });
    reply.header("content-type", "application/x-amz-json-1.0");
    if ("moved" in outcome) {
      const task = JSON.stringify({ taskId: crypto.randomUUID(), moved: outcome.moved });
      reply.send({ TaskHandle: Buffer.from(task).toString("base64") });
    } else {
      const { type, message } = outcome;
      reply.code(400).send({ __type: `com.amazonaws.sqs#${type}`, message });
    }
    return true;
  }

  const app = Fauxqs.newApp(options.region, {
    sqsStore: queues,
    snsStore: Fauxqs.newTopicStore(),
    s3Store: objects,
  });
  // Callback hooks run in one turn with the handler, so that a condition still holds when the object is stored.
  app.addHook("preHandler", (request, reply, done) => {
    const answered =
      request.headers["x-amz-target"] === undefined ? answerS3(request, reply) : answerSqs(request, reply);
    if (!answered) done();
  });
  app.addHook("preSerialization", (request, reply, payload, done) => {
    if (request.headers["x-amz-target"] === "AmazonSQS.ReceiveMessage" && reply.raw.destroyed) {
      const queue = queues.getQueue((request.body as { QueueUrl: string }).QueueUrl);
      for (const { ReceiptHandle } of (payload as { Messages?: Fauxqs.Received[] }).Messages ?? []) {
        const held = queue?.inflightMessages.get(ReceiptHandle);
        if (held) held.message.approximateReceiveCount--;
        queue?.changeVisibility(ReceiptHandle, 0);
      }
    }
    done(null, payload);
  });
  await app.ready();

  return {
    handle: (request, response) => app.routing(request, response),
    listeningAt(url) {
      const all = [...queues.allQueues()];
      queues.queues.clear();
      for (const queue of all) {
        queue.url = `${url}/000000000000/${queue.name}`;
        queues.queues.set(queue.url, queue);
      }
    },
    async stop() {
      await app.close();
      persistence?.close();
    },
  };
}
