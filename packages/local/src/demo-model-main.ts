/** The demo model as a process of its own: `PORT`. Prints `{"msg":"listening","port":…}`. */
import { z } from "zod";
import { startDemoModel } from "./demo-model.ts";

const { PORT } = z.object({ PORT: z.coerce.number().int().min(0).max(65_535) }).parse(process.env);
const model = await startDemoModel(PORT);
console.log(JSON.stringify({ level: "info", msg: "listening", port: model.port }));

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    model.stop().then(() => process.exit(0));
  });
}
