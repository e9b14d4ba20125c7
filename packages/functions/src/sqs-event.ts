/** What Lambda's SQS event source mapping hands to a function, as far as it is used. */
import { z } from "zod";

const epoch = z.coerce.number().int().nonnegative();

const SqsRecord = z
  .object({
    messageId: z.string().min(1),
    body: z.string(),
    attributes: z.object({
      ApproximateReceiveCount: z.coerce.number().int().positive(),
      ApproximateFirstReceiveTimestamp: epoch,
    }),
  })
  .transform(({ messageId, body, attributes }) => ({
    messageId,
    body,
    receives: attributes.ApproximateReceiveCount,
    firstReceivedAt: new Date(attributes.ApproximateFirstReceiveTimestamp).toISOString(),
  }));

/** Parses to core's queued events, in the records' order. */
export const SqsEvent = z.object({ Records: z.array(SqsRecord) }).transform(({ Records }) => Records);
