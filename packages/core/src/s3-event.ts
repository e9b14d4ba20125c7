/**
 * S3's event notifications as they lie in the ingest queue
 * (docs.aws.amazon.com/AmazonS3, "Event message structure"). Keys in them are URL-encoded with `+` for a space.
 */
import { z } from "zod";

export interface ObjectRef {
  bucket: string;
  key: string;
}

const TestEvent = z.object({ Event: z.literal("s3:TestEvent") });
const Event = z.object({
  Records: z.array(
    z.object({
      eventName: z.string(),
      s3: z.object({
        bucket: z.object({ name: z.string().min(1) }),
        object: z.object({ key: z.string().min(1) }),
      }),
    }),
  ),
});

export const decodeKey = (key: string) => decodeURIComponent(key.replaceAll("+", " "));

/** As S3 encodes: slashes stay, a space is `+`. */
export const encodeKey = (key: string) =>
  encodeURIComponent(key).replaceAll("%2F", "/").replaceAll("%20", "+");

/**
 * The created objects that a message names: none for S3's test event and for events that are no creations.
 * @throws {Error} when the message is not an S3 event; the text quotes nothing of it
 */
export function parse(body: string): ObjectRef[] {
  const refs = tryParse(body);
  if (refs === null) throw new Error("the message is not an S3 event");
  return refs;
}

export function tryParse(body: string): ObjectRef[] | null {
  try {
    const json: unknown = JSON.parse(body);
    if (TestEvent.safeParse(json).success) return [];
    const event = Event.safeParse(json);
    if (!event.success) return null;
    return event.data.Records.filter((record) => /^(s3:)?ObjectCreated:/.test(record.eventName)).map(
      ({ s3 }) => ({ bucket: s3.bucket.name, key: decodeKey(s3.object.key) }),
    );
  } catch {
    return null; // Neither JSON nor, in the case of a key, valid percent-encoding.
  }
}

/** An event that names one object: what replay and reconcile send. */
export function body(bucket: string, key: string): string {
  return JSON.stringify({
    Records: [
      {
        eventSource: "aws:s3",
        eventName: "ObjectCreated:Put",
        s3: { bucket: { name: bucket }, object: { key: encodeKey(key) } },
      },
    ],
  });
}
