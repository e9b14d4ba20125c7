/** PostgreSQL as a program of the platform: `PORT`, `DATA_DIR`, `DATABASE`. Prints `{"msg":"listening","port":…}`. */
import { z } from "zod";
import { startPostgres } from "./postgres.ts";

const { PORT, DATA_DIR, DATABASE } = z
  .object({
    PORT: z.coerce.number().int().min(0).max(65_535),
    DATA_DIR: z.string().min(1),
    DATABASE: z.string().min(1),
  })
  .parse(process.env);

let stopping = false;
const server = await startPostgres({ port: PORT, dataDir: DATA_DIR });
// The supervisor starts both again.
server.ended.then(() => process.exit(stopping ? 0 : 1));
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.on(signal, () => {
    stopping = true;
    server.stop();
  });
}
await server.createDatabase(DATABASE);
console.log(JSON.stringify({ level: "info", msg: "listening", port: server.port }));
