/** The API Gateway stand-in as a process of its own. Prints `{"msg":"listening","port":…}`. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { USAGE_PLANS } from "@central-llm/core/usage-plan";
import { z } from "zod";
import { loadApiKeys } from "./api-key.ts";
import { startEdge } from "./edge.ts";
import { PlanMeter } from "./plan-meter.ts";

const settings = z
  .object({
    PORT: z.coerce.number().int().min(0).max(65_535),
    UPSTREAM_URL: z.url(),
    /** Holds `api-keys.json` and `usage.json`. */
    DATA_DIR: z.string().min(1),
    USAGE_PLAN: z.enum(USAGE_PLANS.map((plan) => plan.name)),
  })
  .parse(process.env);

const plan = USAGE_PLANS.find(({ name }) => name === settings.USAGE_PLAN);
if (!plan) throw new RangeError(`no usage plan ${settings.USAGE_PLAN}`);
mkdirSync(settings.DATA_DIR, { recursive: true });
const edge = await startEdge({
  port: settings.PORT,
  upstreamUrl: settings.UPSTREAM_URL,
  keys: loadApiKeys(join(settings.DATA_DIR, "api-keys.json"), "central-llm-client"),
  meter: new PlanMeter(plan, join(settings.DATA_DIR, "usage.json")),
});
console.log(JSON.stringify({ level: "info", msg: "listening", port: edge.port, plan: plan.name }));

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    edge.stop().then(() => process.exit(0));
  });
}
