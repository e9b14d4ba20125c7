/** What `sst dev` and `npx vite packages/web` serve: the page with hot reload, in front of an API that runs elsewhere. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer as createVite, type ViteDevServer } from "vite";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

let api: Server;
let vite: ViteDevServer;
let url: string;

beforeAll(async () => {
  api = createServer((request, response) => response.end(`the API has ${request.url}`));
  await new Promise<void>((resolve) => api.listen(0, "127.0.0.1", resolve));
  vi.stubEnv("CONSOLE_API_URL", `http://127.0.0.1:${(api.address() as AddressInfo).port}`);
  vite = await createVite({
    configFile: `${import.meta.dirname}/../vite.config.ts`,
    server: { host: "127.0.0.1", port: 0, strictPort: false },
    optimizeDeps: { noDiscovery: true },
    logLevel: "silent",
  });
  await vite.listen();
  url = (vite.resolvedUrls?.local[0] ?? "").replace(/\/$/, "");
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await vite.close();
  api.close();
});

const text = async (path: string) => (await fetch(url + path)).text();

test("the page, at any address of it, with the client that reloads it", async () => {
  for (const path of ["/", "/audit?project=p", "/records/x"]) {
    const page = await (await fetch(url + path, { headers: { accept: "text/html" } })).text();
    expect(page).toContain("/@vite/client");
    expect(page).toContain("/src/main.tsx");
  }
  // A component takes its new code without losing its state.
  expect(await text("/src/overview/overview-page.tsx")).toMatch(/import\.meta\.hot/);
});

test("the API and how to sign in come from elsewhere", async () => {
  expect(await text("/api/me")).toBe("the API has /api/me");
  expect(await text("/config.json")).toBe("the API has /config.json");
});
