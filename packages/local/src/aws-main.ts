/**
 * The AWS endpoint as a process of its own: `PORT`, `DATA_DIR` (optional). Prints `{"msg":"listening","port":…}`.
 * A parent may ask for faults over the IPC channel: aws-fault-order.ts.
 */
import { z } from "zod";
import { createAuditPlatform } from "./audit-platform.ts";
import { startAwsEndpoint } from "./aws-endpoint.ts";
import { FaultOrder, faultRule } from "./aws-fault-order.ts";

const settings = z
  .object({ PORT: z.coerce.number().int().min(0).max(65_535), DATA_DIR: z.string().min(1).optional() })
  .parse(process.env);

const endpoint = await startAwsEndpoint({ port: settings.PORT, dataDir: settings.DATA_DIR });
await createAuditPlatform(endpoint);
console.log(JSON.stringify({ level: "info", msg: "listening", port: endpoint.port }));

process.on("message", (message) => {
  const { number, ...order } = FaultOrder.parse(message);
  endpoint.setFault(faultRule(order));
  process.send?.({ done: number });
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    endpoint.stop().then(() => process.exit(0));
  });
}
