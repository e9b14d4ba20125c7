/** The console's build: `packages/web/dist`, files with hashes in their names, nothing inline. */
import optimizeLocales from "@react-aria/optimize-locales-plugin";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** Where `vite` (the dev server) finds the API: the stage of `sst dev`, or the console of a running `npm start`. */
const API = process.env.CONSOLE_API_URL ?? "http://127.0.0.1:3000";

export default defineConfig({
  root: import.meta.dirname,
  // The page is in English: React Aria's other thirty languages stay out of it.
  plugins: [react(), { ...optimizeLocales.vite({ locales: ["en-US"] }), enforce: "pre" }],
  build: {
    outDir: "dist",
    emptyOutDir: true,
    // light-dark() and :has() as they are.
    cssTarget: ["chrome123", "firefox121", "safari17.5"],
    // `data:` scripts and styles would be inline in the eyes of the content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    // Registered with the issuer of stages that are not production (infra/console-sign-in.ts).
    host: "localhost",
    port: 5173,
    strictPort: true,
    proxy: Object.fromEntries(
      ["/api", "/config.json"].map((path) => [path, { target: API, changeOrigin: true }]),
    ),
  },
});
