import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const here = (file: string) => fileURLToPath(new URL(file, import.meta.url));

export default defineConfig({
  plugins: [
    {
      name: "outside-endpoint",
      enforce: "pre",
      // The one seam: what a test imports as the AWS endpoint. The product's own imports stay as they are.
      resolveId(source, importer) {
        if (!importer?.endsWith(".test.ts")) return null;
        return /(^@central-llm\/local\/aws-endpoint|\/aws-endpoint\.ts)$/.test(source)
          ? here("outside-endpoint.ts")
          : null;
      },
    },
  ],
  test: {
    root: here(".."),
    include: [
      "packages/core/src/audit-{query,row,table}.test.ts",
      "packages/core/src/reconcile.test.ts",
      "packages/functions/src/ingest.test.ts",
      "packages/local/src/aws-endpoint.test.ts",
      "packages/local/src/lambda-host.test.ts",
      "packages/proxy/src/durability.test.ts",
      "packages/cli/src/*.test.ts",
      "conformance/*.test.ts",
    ],
    // Sets the clock of its own process, by which the embedded S3 dates objects; an engine elsewhere has its own.
    exclude: ["packages/cli/src/verify.test.ts"],
    pool: "forks",
    // One after the other: they share the engines, and each finds them empty.
    fileParallelism: false,
    setupFiles: [here("skip-known.ts")],
    reporters: ["verbose"],
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // As in the repository's own vitest.config.ts, by which these tests are written.
    expect: { poll: { timeout: 60_000 } },
  },
});
