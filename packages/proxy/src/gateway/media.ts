/**
 * Images and documents. Only such as the request carries itself: an address is never fetched, since a gateway inside the
 * company's network that fetches what a caller names would be everybody's door to it.
 */
import type { DocumentBlock, DocumentFormat, ImageBlock, ImageFormat } from "@aws-sdk/client-bedrock-runtime";
import { invalid } from "./refusal.ts";

const IMAGES: Record<string, ImageFormat> = {
  "image/png": "png",
  "image/jpeg": "jpeg",
  "image/jpg": "jpeg",
  "image/gif": "gif",
  "image/webp": "webp",
};

const DOCUMENTS: Record<string, DocumentFormat> = {
  "application/pdf": "pdf",
  "text/csv": "csv",
  "text/html": "html",
  "text/markdown": "md",
  "text/plain": "txt",
  "application/msword": "doc",
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
  "application/vnd.ms-excel": "xls",
  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
};

const DATA_URL = /^data:([a-z]+\/[a-z0-9.+-]+)(?:;[a-z]+=[^;,]*)*;base64,/i;

/** @param param where it stands, for the refusal */
export function imageFromUrl(url: string, param: string): ImageBlock {
  const { type, data } = dataUrl(url, param, "an image");
  return image(type, data, param);
}

export function image(mediaType: string, base64: string, param: string): ImageBlock {
  const format = IMAGES[mediaType.toLowerCase()];
  if (!format)
    throw invalid(param, `Images of type ${mediaType} are not taken: send PNG, JPEG, GIF or WebP.`);
  return { format, source: { bytes: bytes(base64, param) } };
}

export function documentFromUrl(url: string, name: string | undefined, param: string): DocumentBlock {
  const { type, data } = dataUrl(url, param, "a file");
  return document(type, data, name, param);
}

export function document(
  mediaType: string,
  base64: string,
  name: string | undefined,
  param: string,
): DocumentBlock {
  const format = DOCUMENTS[mediaType.toLowerCase()];
  if (!format) throw invalid(param, `Documents of type ${mediaType} are not taken.`);
  return { format, name: documentName(name), source: { bytes: bytes(base64, param) } };
}

/** Bedrock takes letters, digits, single spaces, hyphens, parentheses and square brackets, up to 200. */
export function documentName(name: string | undefined): string {
  const clean = (name ?? "")
    .replace(/\.[A-Za-z0-9]{1,5}$/, "")
    .replace(/[^A-Za-z0-9\s\-()[\]]+/g, "-")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, 200);
  return clean || "document";
}

function dataUrl(url: string, param: string, what: string): { type: string; data: string } {
  const match = DATA_URL.exec(url);
  if (match?.[1]) return { type: match[1], data: url.slice(match[0].length) };
  if (/^https?:/i.test(url))
    throw invalid(
      param,
      `The gateway does not fetch ${what} from an address. Send it as a data: URL (data:<type>;base64,…).`,
      "url_not_fetched",
    );
  throw invalid(param, `Expected ${what} as a data: URL (data:<type>;base64,…).`);
}

/** Node decodes leniently, and a half-read image is worse than none. */
export function bytes(base64: string, param: string): Uint8Array {
  if (base64.length === 0 || base64.length % 4 === 1 || !/^[A-Za-z0-9+/_-]+={0,2}$/.test(base64))
    throw invalid(param, "The data is not valid base64.");
  const { buffer, byteOffset, length } = Buffer.from(base64, "base64");
  // Not as a Buffer: JSON.stringify would make a list of numbers of it before anybody could ask for base64.
  return new Uint8Array(buffer, byteOffset, length);
}
