/** Files of a built page, with its entry page for every path that is a page's and no file's. */
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname, join, normalize, sep } from "node:path";
import { pipeline } from "node:stream/promises";

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".map": "application/json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
  ".txt": "text/plain; charset=utf-8",
};

const NOT_BUILT =
  "<!doctype html><html lang=en><title>Central LLM</title><p>The console's page is not built. Its API is below <code>/api</code>.";

export interface StaticSite {
  serve(request: IncomingMessage, response: ServerResponse, path: string): Promise<void>;
}

export function staticSite(folder: string): StaticSite {
  /** Null when the path leads out of the folder or to no file. */
  async function fileAt(path: string): Promise<{ file: string; bytes: number } | null> {
    let decoded: string;
    try {
      decoded = decodeURIComponent(path);
    } catch {
      return null;
    }
    const file = normalize(join(folder, decoded));
    if (!file.startsWith(folder + sep) || decoded.includes("\0")) return null;
    const found = await stat(file).catch(() => null);
    return found?.isFile() ? { file, bytes: found.size } : null;
  }

  return {
    async serve(request, response, path) {
      if (request.method !== "GET" && request.method !== "HEAD") {
        response.writeHead(405, { allow: "GET, HEAD" });
        response.end();
        return;
      }
      const found = await fileAt(path);
      if (found) {
        response.writeHead(200, {
          "content-type": TYPES[extname(found.file)] ?? "application/octet-stream",
          "content-length": found.bytes,
          // Vite names assets by their content.
          "cache-control": path.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "no-cache",
        });
        if (request.method === "HEAD") return void response.end();
        await pipeline(createReadStream(found.file), response);
        return;
      }
      const isPage = extname(path) === "";
      const entry = isPage ? await readFile(join(folder, "index.html")).catch(() => NOT_BUILT) : "";
      response.writeHead(isPage ? 200 : 404, {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-cache",
      });
      response.end(request.method === "HEAD" ? undefined : entry);
    },
  };
}
