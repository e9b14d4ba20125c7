/** Faults that the Bedrock stand-in makes: what a request deserves, and what a test or a demo ordered. */
import { z } from "zod";

/** HTTP status of each exception: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_Errors */
const STATUS = {
  AccessDeniedException: 403,
  UnrecognizedClientException: 403,
  ResourceNotFoundException: 404,
  ThrottlingException: 429,
  ModelNotReadyException: 429,
  ServiceQuotaExceededException: 400,
  ValidationException: 400,
  ModelErrorException: 424,
  ModelStreamErrorException: 424,
  ModelTimeoutException: 408,
  InternalServerException: 500,
  ServiceUnavailableException: 503,
} as const;

export type FaultName = keyof typeof STATUS;

export class BedrockFault extends Error {
  readonly fault: FaultName;
  readonly status: number;

  constructor(fault: FaultName, message: string) {
    super(message);
    this.name = fault;
    this.fault = fault;
    this.status = STATUS[fault];
  }
}

const orderedFault = z.strictObject({
  /** A part of the model's id; every model when absent. */
  modelId: z.string().optional(),
  /** How many calls it hits. */
  times: z.int().positive().default(1),
  /** Instead of an answer, or in the middle of one. */
  error: z.enum(Object.keys(STATUS) as [FaultName, ...FaultName[]]).optional(),
  message: z.string().default("A fault that was ordered."),
  /** The error comes in the stream after so many events, instead of before it. */
  afterEvents: z.int().min(0).optional(),
  /** The connection is cut after so many events of a stream, without an error. */
  cutAfterEvents: z.int().min(0).optional(),
  /** The answer's head comes so much later. */
  delayMs: z.int().min(0).default(0),
  /** After `afterEvents` or at once: nothing more comes, and the connection stays open. */
  hang: z.boolean().default(false),
});

export type OrderedFault = z.output<typeof orderedFault>;
export type FaultOrder = z.input<typeof orderedFault>;

export class FaultOrders {
  readonly #orders: OrderedFault[] = [];

  order(fault: unknown): void {
    this.#orders.push(orderedFault.parse(fault));
  }

  clear(): void {
    this.#orders.length = 0;
  }

  /** @returns the fault that this call is to suffer, if any */
  take(modelId: string): OrderedFault | null {
    const index = this.#orders.findIndex((order) => modelId.includes(order.modelId ?? ""));
    const order = this.#orders[index];
    if (!order) return null;
    if (--order.times === 0) this.#orders.splice(index, 1);
    return order;
  }
}
