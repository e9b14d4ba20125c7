/** SQS StartMessageMoveTask: moves every message of a dead-letter queue at once, back to its source or to a given queue. */
import { copyMessage, type Queue, type QueueStore } from "./fauxqs-internals.ts";

export interface SqsFailure {
  type: string;
  message: string;
}

const missing = (message: string): SqsFailure => ({ type: "ResourceNotFoundException", message });

/** The number of messages moved, or why none was. */
export function moveMessages(
  queues: QueueStore,
  request: { SourceArn?: string; DestinationArn?: string },
): { moved: number } | SqsFailure {
  const source = queues.getQueueByArn(request.SourceArn ?? "");
  if (!source) return missing("The resource that you specified for the SourceArn parameter doesn't exist.");
  const sources = [...queues.allQueues()].filter((queue) => deadLetterArn(queue) === source.arn);
  if (sources.length === 0) {
    return {
      type: "UnsupportedOperation",
      message: "Source queue must be configured as a Dead Letter Queue.",
    };
  }
  const destination = request.DestinationArn ? queues.getQueueByArn(request.DestinationArn) : sources[0];
  if (!destination) {
    return missing("The resource that you specified for the DestinationArn parameter doesn't exist.");
  }
  source.processTimers();
  const messages = source.messages.splice(0);
  for (const message of messages) {
    // First there, then gone here: a crash between them doubles a message and loses none.
    destination.enqueue(copyMessage(message));
    source.persistence?.deleteMessage(message.messageId);
  }
  return { moved: messages.length };
}

function deadLetterArn(queue: Queue): string | undefined {
  const policy = queue.attributes.RedrivePolicy;
  return policy ? JSON.parse(policy).deadLetterTargetArn : undefined;
}
