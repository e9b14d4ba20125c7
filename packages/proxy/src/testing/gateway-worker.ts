/**
 * A gateway process's limits, without the gateway: forked by tests that need several processes on one database. Takes
 * `{url, settings}` in GATEWAY, then orders over IPC; says `ready` first.
 */
import { type AdmissionRequest, AdmissionSettings, type Reservation } from "../gateway/admission.ts";
import { DatabaseSettings, openDatabase } from "../gateway/database.ts";
import { openLedger } from "../gateway/ledger.ts";
import { usage, verdict } from "./gateway-database.ts";

export interface Order {
  /** Admits so many requests at once. */
  count: number;
  request: AdmissionRequest;
  /** Then settles each that was admitted at this cost; absent: leaves them running. */
  settleAt?: number;
}
export interface Done {
  verdicts: Record<string, number>;
  /** Request ids whose settlement the database confirmed. */
  settled: string[];
  pending: number;
}

const { url, settings } = JSON.parse(process.env.GATEWAY ?? "{}");
const database = openDatabase(DatabaseSettings.parse({ DATABASE_URL: url, ...settings }), () => {});
const ledger = openLedger(database, AdmissionSettings.parse(settings), () => {});
let serial = 0;

async function obey({ count, request, settleAt }: Order): Promise<Done> {
  const verdicts: Record<string, number> = {};
  const settled: string[] = [];
  const settle = async (reservation: Reservation, cost: number) => {
    const id = `${process.pid}-${++serial}`;
    await ledger.settle(reservation, usage(id, { cost }));
    settled.push(id);
  };
  await Promise.all(
    Array.from({ length: count }, async () => {
      const admission = await ledger.admit(request);
      const word = verdict(admission);
      verdicts[word] = (verdicts[word] ?? 0) + 1;
      if (admission.outcome === "admitted" && settleAt !== undefined)
        await settle(admission.reservation, settleAt);
    }),
  );
  return { verdicts, settled, pending: ledger.pendingSettlements() };
}

process.on("message", (order: Order) => {
  obey(order).then((done) => process.send?.(done));
});
process.on("disconnect", () => process.exit(0));
await database.warm();
process.send?.("ready");
