/** Admission, settlement and lease of one gateway process, together. */
import {
  type Admission,
  type AdmissionRequest,
  type AdmissionSettings,
  Admissions,
  type Reservation,
} from "./admission.ts";
import type { Database } from "./database.ts";
import { Lease } from "./lease.ts";
import { Settlements, type Usage } from "./settlement.ts";

export interface Ledger {
  /** Names this life of this process in reservations. */
  instance: string;
  /** Never throws: an absent database is an outcome. */
  admit(request: AdmissionRequest): Promise<Admission>;
  /** See `Settlements.settle`. */
  settle(reservation: Reservation, usage: Usage): Promise<void>;
  /** An admitted request that came to nothing: what it reserved is free again, its place in the request count stays taken. */
  release(reservation: Reservation): Promise<void>;
  /** Settlements that are not on the database's disk yet. */
  pendingSettlements(): number;
  /** Somebody waits for what is pending. */
  hurry(): void;
  /** Waits for pending settlements, at most so long, and ends the lease. @returns how many were given up */
  close(timeoutMs: number): Promise<number>;
}

/** Long enough that a statement whose answer was lost has ended, one way or the other. */
const LOST_ANSWER_MS = 6_000;

/** @param onError hears of a lease that could not be renewed, and why no request can be admitted; both are tried again */
export function openLedger(
  database: Database,
  settings: AdmissionSettings,
  onError: (error: unknown) => void,
): Ledger {
  const settlements = new Settlements(database.settlement);
  const releaseLater = (reservation: string) => {
    setTimeout(() => settlements.release(reservation).catch(onError), LOST_ANSWER_MS).unref();
  };
  const admissions = new Admissions(database.admission, settings, releaseLater, onError);
  const lease = new Lease(
    database.settlement,
    admissions.instance,
    settings.RESERVATION_LEASE_SECONDS,
    onError,
  );
  lease.start();
  return {
    instance: admissions.instance,
    admit: (request) => admissions.admit(request),
    settle: (reservation, usage) => settlements.settle(reservation, usage),
    release: (reservation) => settlements.release(reservation.id),
    pendingSettlements: () => settlements.pendingSettlements,
    hurry: () => settlements.hurry(),
    async close(timeoutMs) {
      const left = await settlements.drain(timeoutMs);
      settlements.stop();
      await lease.stop();
      return left;
    },
  };
}
