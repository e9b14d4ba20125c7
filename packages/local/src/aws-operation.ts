/** Which AWS operation a request is, e.g. `s3.PutObject`, `sqs.ReceiveMessage`, `dynamodb.Query`, `kms.Sign`. */
import type { IncomingMessage } from "node:http";

export type Service = "s3" | "sqs" | "dynamodb" | "kms";

export interface Operation {
  service: Service;
  name: string;
}

const has = (query: URLSearchParams, name: string) => query.has(name);

function s3BucketOperation(method: string, query: URLSearchParams): string {
  if (has(query, "notification")) {
    return method === "PUT" ? "PutBucketNotificationConfiguration" : "GetBucketNotificationConfiguration";
  }
  switch (method) {
    case "PUT":
      return "CreateBucket";
    case "HEAD":
      return "HeadBucket";
    case "DELETE":
      return "DeleteBucket";
    case "POST":
      return "DeleteObjects";
    default:
      return query.get("list-type") === "2" ? "ListObjectsV2" : "ListObjects";
  }
}

function s3ObjectOperation(method: string, query: URLSearchParams, copies: boolean): string {
  switch (method) {
    case "PUT":
      if (has(query, "partNumber")) return "UploadPart";
      return copies ? "CopyObject" : "PutObject";
    case "HEAD":
      return "HeadObject";
    case "DELETE":
      return has(query, "uploadId") ? "AbortMultipartUpload" : "DeleteObject";
    case "POST":
      return has(query, "uploads") ? "CreateMultipartUpload" : "CompleteMultipartUpload";
    default:
      return "GetObject";
  }
}

export function operationOf(request: IncomingMessage): Operation {
  const target = String(request.headers["x-amz-target"] ?? "");
  const [service = "", name = ""] = target.split(".");
  if (service.startsWith("DynamoDB_")) return { service: "dynamodb", name };
  if (service === "TrentService") return { service: "kms", name };
  if (service === "AmazonSQS") return { service: "sqs", name };
  const url = new URL(request.url ?? "/", "http://127.0.0.1");
  const [bucket, ...key] = url.pathname.slice(1).split("/");
  const method = request.method ?? "GET";
  if (!bucket) return { service: "s3", name: "ListBuckets" };
  if (key.join("/") === "") return { service: "s3", name: s3BucketOperation(method, url.searchParams) };
  const copies = request.headers["x-amz-copy-source"] !== undefined;
  return { service: "s3", name: s3ObjectOperation(method, url.searchParams, copies) };
}
