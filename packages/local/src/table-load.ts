/**
 * Fills a table of a stored DynamoDB in bulk, for benches: a million rows through the engine's own writes take longer than what is
 * measured after. What lies on the disk is what PutItem would have left there; only new items may come, since none is read before.
 */
import { Readable } from "node:stream";
import type { DynamoDBClientConfig } from "@aws-sdk/client-dynamodb";
import { REGION } from "./aws-endpoint.ts";
import * as Dynalite from "./dynalite-internals.ts";

interface Put {
  PutRequest: { Item: Dynalite.Item };
}

export interface TableLoad {
  /** Settings of a client whose BatchWriteItem goes straight into the store, and which can do nothing else. */
  clientSettings: DynamoDBClientConfig;
  close(): Promise<void>;
}

/** @param dataDir that of an AWS endpoint that has made the table and is stopped: the store has one user at a time */
export function openTableLoad(dataDir: string): TableLoad {
  const store = Dynalite.open(`${dataDir}/dynamodb`, REGION, () => {});
  const requestHandler = {
    async handle(request: { headers: Record<string, string>; body: Uint8Array }) {
      const operation = request.headers["x-amz-target"]?.split(".")[1];
      if (operation !== "BatchWriteItem") throw new Error(`a bulk load cannot ${operation}`);
      const { RequestItems } = JSON.parse(new TextDecoder().decode(request.body)) as {
        RequestItems: Record<string, Put[]>;
      };
      for (const [table, puts] of Object.entries(RequestItems)) {
        await Dynalite.load(
          store,
          table,
          puts.map(({ PutRequest }) => PutRequest.Item),
        );
      }
      const body = Readable.from([Buffer.from('{"UnprocessedItems":{}}')]);
      return { response: { statusCode: 200, headers: {}, body } };
    },
  };
  return {
    clientSettings: {
      region: REGION,
      endpoint: "http://127.0.0.1:1",
      credentials: { accessKeyId: "local", secretAccessKey: "local" },
      requestHandler: requestHandler as unknown as NonNullable<DynamoDBClientConfig["requestHandler"]>,
    },
    close: () => Dynalite.close(store),
  };
}
