/**
 * Checks a signed request as AWS does, by the rules alone and not by the signer that made it.
 * Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
import { createHash, createHmac } from "node:crypto";
import type { IncomingMessage } from "node:http";

const PATTERN =
  /^AWS4-HMAC-SHA256 Credential=[^/]+\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/;

const sha256 = (data: string | Buffer) => createHash("sha256").update(data).digest("hex");
const hmac = (key: string | Buffer, data: string) => createHmac("sha256", key).update(data).digest();

/** @returns whose signature it is, e.g. `eu-west-2/bedrock`, or null when it is nobody's with this secret */
export function signedFor(request: IncomingMessage, body: Buffer, secret: string): string | null {
  const [, day = "", region = "", service = "", names = "", signature] =
    PATTERN.exec(request.headers.authorization ?? "") ?? [];
  const headers = names
    .split(";")
    .map(
      (name) =>
        `${name}:${String(request.headers[name] ?? "")
          .trim()
          .replace(/\s+/g, " ")}\n`,
    )
    .join("");
  // Every service but S3 encodes the path, as it was sent, once more.
  const path = (request.url ?? "/")
    .split("/")
    .map((part) =>
      encodeURIComponent(part).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`),
    )
    .join("/");
  const canonical = [request.method, path, "", headers, names, sha256(body)].join("\n");
  const scope = `${day}/${region}/${service}/aws4_request`;
  const toSign = ["AWS4-HMAC-SHA256", request.headers["x-amz-date"], scope, sha256(canonical)].join("\n");
  const key = [day, region, service, "aws4_request"].reduce<string | Buffer>(hmac, `AWS4${secret}`);
  return hmac(key, toSign).toString("hex") === signature ? `${region}/${service}` : null;
}
