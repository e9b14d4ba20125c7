/** The keys of the local gateway: made once, kept below `.local/`, never committed. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { newKey } from "@central-llm/core/virtual-key";
import { z } from "zod";

const GatewayKeys = z.object({ master: z.string().min(20), demo: z.string().min(20) });
export type GatewayKeys = z.infer<typeof GatewayKeys>;

/** The file's keys; made when there is no file. Only the owner may read it. */
export function loadGatewayKeys(file: string): GatewayKeys {
  if (existsSync(file)) return GatewayKeys.parse(JSON.parse(readFileSync(file, "utf8")));
  const keys = { master: newKey(), demo: newKey() };
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(keys, null, 2)}\n`, { mode: 0o600 });
  return keys;
}

/** What the demo key may: enough for an afternoon with an IDE. */
const DEMO = { key_alias: "demo", user_id: "demo", max_budget: 100, budget_duration: "1mo", rpm_limit: 600 };

/**
 * Makes the demo key in the gateway's database, when it is not there.
 * @throws Error with the gateway's answer
 */
export async function ensureDemoKey(url: string, keys: GatewayKeys): Promise<void> {
  const headers = { authorization: `Bearer ${keys.master}`, "content-type": "application/json" };
  const known = await fetch(`${url}/key/info`, { headers: { authorization: `Bearer ${keys.demo}` } });
  await known.body?.cancel();
  if (known.ok) return;
  const body = JSON.stringify({ ...DEMO, key: keys.demo });
  const made = await fetch(`${url}/key/generate`, { method: "POST", headers, body });
  if (!made.ok) throw new Error(`The gateway makes no demo key: ${made.status} ${await made.text()}`);
}
