import { compileCache } from "@central-llm/local/compile-cache";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

Object.assign(process.env, compileCache());

/** By how long they take: a file that begins last and takes longest is waited for by all others. */
const LONGEST = [
  "packages/web/browser/console.test.ts",
  "packages/local/src/start.test.ts",
  "packages/proxy/src/durability.test.ts",
  "infra/plan/plan.test.ts",
  "packages/cli/src/central-llm.test.ts",
  "packages/proxy/src/hazard-slow-peers.test.ts",
  "packages/cli/src/verify.test.ts",
  "packages/local/src/soak/soak.test.ts",
  "packages/functions/src/ingest.test.ts",
  "packages/functions/src/replay.test.ts",
  "packages/core/src/audit-query.test.ts",
  "infra/image-build.test.ts",
  "packages/core/src/audit-page.test.ts",
  "infra/lambda-functions.test.ts",
  "packages/proxy/src/gateway/gateway-processes.test.ts",
  "packages/core/src/reconcile.test.ts",
  "packages/local/src/central.test.ts",
  "packages/core/src/audit-search.test.ts",
  "packages/proxy/src/telemetry.test.ts",
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = LONGEST.findIndex((file) => moduleId.endsWith(`/${file}`));
      return at < 0 ? LONGEST.length : at;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    include: [
      "packages/*/src/**/*.test.ts",
      "packages/web/browser/*.test.ts",
      "infra/**/*.test.ts",
      "docs/**/*.test.ts",
    ],
    pool: "forks",
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // How long it takes is no test's business unless it says so; a machine that others use may take its time.
    expect: { poll: { timeout: 60_000 } },
  },
});
