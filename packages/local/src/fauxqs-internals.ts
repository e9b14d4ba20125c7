/**
 * The parts of fauxqs 2.4.1 (pinned exactly: only its `.` is exported) that the S3 and SQS stand-in reaches into,
 * because its own server listens on 0.0.0.0, knows no S3 notifications and loses messages (see object-storage.ts).
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { dirname, join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { fileURLToPath, pathToFileURL } from "node:url";
import { buildApp } from "fauxqs";

export interface Message {
  messageId: string;
  body: string;
  messageAttributes: Record<string, unknown>;
  approximateReceiveCount: number;
}

export interface Received {
  MessageId: string;
  ReceiptHandle: string;
}

export interface Queue {
  name: string;
  url: string;
  arn: string;
  attributes: Record<string, string | undefined>;
  messages: Message[];
  inflightMessages: Map<string, { message: Message }>;
  persistence?: Persistence;
  enqueue(message: Message): void;
  processTimers(): void;
  changeVisibility(receiptHandle: string, seconds: number): void;
}

export interface QueueStore {
  host?: string;
  region?: string;
  persistence?: Persistence;
  queues: Map<string, Queue>;
  allQueues(): IterableIterator<Queue>;
  getQueue(url: string): Queue | undefined;
  getQueueByArn(arn: string): Queue | undefined;
}

export interface StoredObject {
  key: string;
  contentLength: number;
  etag: string;
  lastModified: Date;
}

export interface ObjectStore {
  buckets: Map<string, Map<string, StoredObject>>;
  persistence?: Persistence;
  spy?: { addMessage(message: { service: string; status: string; bucket: string; key: string }): void };
  headObject(bucket: string, key: string): StoredObject;
}

export interface Persistence {
  db: DatabaseSync;
  load(queues: QueueStore, topics: unknown, objects: ObjectStore): void;
  insertQueue(queue: Queue): void;
  deleteMessage(messageId: string): void;
  updateMessageReady(messageId: string): void;
  close(): void;
}

/** Fastify's request and reply as far as the hooks here use them. */
export interface Request {
  method: string;
  url: string;
  raw: IncomingMessage;
  headers: IncomingMessage["headers"];
  query: Record<string, string>;
  params: { bucket?: string; "*"?: string };
  body: unknown;
}
export interface Reply {
  raw: ServerResponse;
  code(status: number): Reply;
  header(name: string, value: string): Reply;
  send(body: unknown): Reply;
}
export interface App {
  ready(): Promise<void>;
  close(): Promise<void>;
  routing(request: IncomingMessage, response: ServerResponse): void;
  addHook(name: "preHandler", hook: (request: Request, reply: Reply, done: () => void) => void): void;
  addHook(
    name: "preSerialization",
    hook: (
      request: Request,
      reply: Reply,
      payload: unknown,
      done: (error: null, payload: unknown) => void,
    ) => void,
  ): void;
}

const dist = dirname(fileURLToPath(import.meta.resolve("fauxqs")));
const load = (file: string) => import(pathToFileURL(join(dist, file)).href);
const [sqs, sns, s3, persistence] = await Promise.all([
  load("sqs/sqsStore.js"),
  load("sns/snsStore.js"),
  load("s3/s3Store.js"),
  load("persistence.js"),
]);

export const newQueueStore = (): QueueStore => new sqs.SqsStore();
export const newTopicStore = (): unknown => new sns.SnsStore();
export const newObjectStore = (): ObjectStore => new s3.S3Store();
export const newMessage = (body: string): Message => sqs.SqsStore.createMessage(body, {});
/** A copy of a message under a new id, received zero times, as StartMessageMoveTask makes it. */
export const copyMessage = (message: Message): Message =>
  sqs.SqsStore.createMessage(message.body, message.messageAttributes);
export const openPersistence = (folder: string): Persistence => new persistence.PersistenceManager(folder);

export function newApp(region: string, stores: object): App {
  return buildApp({ logger: false, defaultRegion: region, stores: stores as never }) as unknown as App;
}
