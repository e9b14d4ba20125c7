/** The Bedrock stand-in as a program of the platform: `PORT`. Prints `{"msg":"listening","port":…}`. */
import { z } from "zod";
import { startBedrockStandIn } from "./bedrock-stand-in.ts";

const { PORT, DELAY_MS } = z
  .object({
    PORT: z.coerce.number().int().min(0).max(65_535),
    /** Between two events of a stream, so that it can be seen to stream. */
    DELAY_MS: z.coerce.number().int().min(0).default(15),
  })
  .parse(process.env);
const standIn = await startBedrockStandIn({ port: PORT, delayMs: DELAY_MS });
console.log(JSON.stringify({ level: "info", msg: "listening", port: standIn.port }));

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    standIn.stop().then(() => process.exit(0));
  });
}
