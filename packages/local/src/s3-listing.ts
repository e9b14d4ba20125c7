/**
 * ListObjectsV2. fauxqs sorts by locale but pages by code unit, so that pages skip keys of mixed case, and repeats
 * common prefixes; S3 orders by UTF-8 bytes throughout.
 */
import type { StoredObject } from "./fauxqs-internals.ts";

const MAX_KEYS = 1000;

const escapeXml = (text: string) => text.replace(/[<>&"'\r]/g, (char) => `&#${char.charCodeAt(0)};`);

/** Order of UTF-8 bytes, which differs from that of UTF-16 code units only where surrogates are involved. */
function byBytes(a: string, b: string): number {
  if (a === b) return 0;
  const surrogates = /[\ud800-\udfff]/;
  if (surrogates.test(a) || surrogates.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return a < b ? -1 : 1;
}

/** The answer's XML. @param query the request's, decoded */
export function listObjectsV2(
  bucket: string,
  objects: Map<string, StoredObject>,
  query: Record<string, string>,
): string {
  const prefix = query.prefix ?? "";
  const delimiter = query.delimiter ?? "";
  const asked = query["max-keys"] === undefined ? MAX_KEYS : Number(query["max-keys"]);
  const maxKeys = Math.min(asked, MAX_KEYS);
  const token = query["continuation-token"];
  const after = token ? Buffer.from(token, "base64url").toString() : (query["start-after"] ?? "");
  const encode = query["encoding-type"] === "url" ? encodeURIComponent : escapeXml;

  const keys = [...objects.keys()]
    .filter((key) => key.startsWith(prefix) && (!after || byBytes(key, after) > 0))
    .sort(byBytes);
  const contents: StoredObject[] = [];
  const prefixes = new Set<string>();
  let last = "";
  let truncated = false;
  for (const key of keys) {
    const cut = delimiter ? key.indexOf(delimiter, prefix.length) : -1;
    const common = cut < 0 ? null : key.slice(0, cut + delimiter.length);
    if (common !== null && (prefixes.has(common) || after.startsWith(common))) {
      last = key;
      continue;
    }
    if (contents.length + prefixes.size >= maxKeys) {
      truncated = true;
      break;
    }
    last = key;
    const object = objects.get(key);
    if (common !== null) prefixes.add(common);
    else if (object) contents.push(object);
  }

  const element = (name: string, value: string | number | undefined) =>
    value === undefined || value === "" ? "" : `<${name}>${value}</${name}>`;
  return [
    `<?xml version="1.0" encoding="UTF-8"?>`,
    `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>${bucket}</Name>`,
    `<Prefix>${encode(prefix)}</Prefix>`,
    element("Delimiter", encode(delimiter)),
    `<KeyCount>${contents.length + prefixes.size}</KeyCount><MaxKeys>${maxKeys}</MaxKeys>`,
    element("EncodingType", query["encoding-type"]),
    element("StartAfter", encode(query["start-after"] ?? "")),
    element("ContinuationToken", token),
    `<IsTruncated>${truncated}</IsTruncated>`,
    truncated ? element("NextContinuationToken", Buffer.from(last).toString("base64url")) : "",
    ...contents.map(
      (object) =>
        `<Contents><Key>${encode(object.key)}</Key><LastModified>${object.lastModified.toISOString()}</LastModified>` +
        `<ETag>${escapeXml(object.etag)}</ETag><Size>${object.contentLength}</Size><StorageClass>STANDARD</StorageClass></Contents>`,
    ),
    ...[...prefixes].map((common) => `<CommonPrefixes><Prefix>${encode(common)}</Prefix></CommonPrefixes>`),
    `</ListBucketResult>`,
  ].join("");
}
