/** Lambda `llm-audit-export`: makes the files that auditors ask for. Names and counts are logged, nothing of the rows. */
import { Logger } from "@aws-lambda-powertools/logger";
import { injectLambdaContext } from "@aws-lambda-powertools/logger/middleware";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { S3Client } from "@aws-sdk/client-s3";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import * as AuditTable from "@central-llm/core/audit-table";
import * as ExportRun from "@central-llm/core/export-run";
import { EXPORT_FUNCTION } from "@central-llm/core/platform";
import middy from "@middy/core";
import sqsPartialBatchFailure from "@middy/sqs-partial-batch-failure";
import type { Context } from "aws-lambda";
import { exportConfig } from "./export-config.ts";
import { exportLine } from "./export-line.ts";
import { ExportMessage } from "./export-message.ts";
import { SqsEvent } from "./sqs-event.ts";

const logger = new Logger({ serviceName: EXPORT_FUNCTION });
const config = exportConfig(process.env);
const sqs = new SQSClient({});
const context: ExportRun.ExportContext = {
  s3: new S3Client({ forcePathStyle: process.env.AWS_ENDPOINT_URL !== undefined }),
  table: AuditTable.open(new DynamoDBClient({}), config.TABLE_NAME),
  bucket: config.EXPORT_BUCKET,
  maxObjectBytes: config.MAX_OBJECT_BYTES,
  line: exportLine,
};

/** Kept for the part in hand and the message that goes on. */
const RESERVE_MS = 60_000;

async function work(body: string, signal: AbortSignal): Promise<void> {
  const { owner, jobId } = ExportMessage.parse(JSON.parse(body));
  const outcome = await ExportRun.run(context, owner, jobId, signal);
  logger.info("worked on an export", { jobId, outcome });
  if (outcome !== "again") return;
  await sqs.send(new SendMessageCommand({ QueueUrl: config.EXPORT_QUEUE_URL, MessageBody: body }));
}

export const handler = middy()
  .use(injectLambdaContext(logger))
  .use(
    sqsPartialBatchFailure({
      logger: (reason: unknown, { messageId }: { messageId: string }) =>
        logger.warn("left to the queue", {
          messageId,
          error: reason instanceof Error ? reason.name : "Error",
        }),
    }),
  )
  .handler(async (event: unknown, lambda: Context) => {
    const signal = AbortSignal.timeout(Math.max(lambda.getRemainingTimeInMillis() - RESERVE_MS, 1_000));
    return Promise.allSettled(SqsEvent.parse(event).map(({ body }) => work(body, signal)));
  });
