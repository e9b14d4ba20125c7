/**
 * S3 and SQS on fauxqs, with what the platform relies on and fauxqs lacks or gets wrong:
 * `If-None-Match`/`If-Match` on writes (it ignores them), refusal of S3 sub-resources that it does not know (it takes
 * `PUT key?tagging` for a new body), S3 → SQS notifications, ListObjectsV2's order, `ChangeMessageVisibility(0)`
 * (it loses the message when persistent), long polls whose client has gone (it hands them the message all the same),
 * StartMessageMoveTask.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import * as Fauxqs from "./fauxqs-internals.ts";
import { s3Requests } from "./s3-requests.ts";
import { moveMessages } from "./sqs-message-move.ts";

export interface ObjectStorage {
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** Queue URLs carry the endpoint's address, which is known only once it listens. */
  listeningAt(url: string): void;
  stop(): Promise<void>;
}

function open(folder: string, queues: Fauxqs.QueueStore, objects: Fauxqs.ObjectStore): Fauxqs.Persistence {
  const persistence = Fauxqs.openPersistence(folder);
  // With a write-ahead log this survives the death of the process; only a power cut may take the last writes.
  persistence.db.exec("PRAGMA synchronous = NORMAL");
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
  // Without a host, queue URLs are made from the request's Host header.
  queues.host = undefined;

  const s3 = s3Requests(objects, queues, options.region, persistence?.db);

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
      request.headers["x-amz-target"] === undefined ? s3.answer(request, reply) : answerSqs(request, reply);
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
