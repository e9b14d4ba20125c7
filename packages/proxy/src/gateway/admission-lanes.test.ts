/** When an admission counts the database as away, and when only a connection. The connections are scripted: none fails on time by itself. */
import type pg from "pg";
import { expect, it } from "vitest";
import { request, verdict } from "../testing/gateway-database.ts";
import { AdmissionSettings, Admissions } from "./admission.ts";

const CALL = {
  token: "t",
  keyName: null,
  keyAlias: null,
  userId: null,
  userEmail: null,
  teamId: null,
  teamAlias: null,
  organizationId: null,
  spend: 0,
  maxBudget: null,
  tpmLimit: null,
  rpmLimit: null,
  modelAlias: null,
  allowedRoutes: null,
  metadata: null,
  teamMetadata: null,
};

/** Statements wait until they are answered or failed, in the order in which they were asked. */
function scripted() {
  const asked: { answer(): void; fail(message: string): void }[] = [];
  const query = ({ values }: { values: unknown[] }) =>
    new Promise((resolve, reject) => {
      const answer = { call: CALL, limits: [], held: false };
      const row =
        values.length === 4 ? { answers: JSON.parse(String(values[3])).map(() => answer) } : { answer };
      asked.push({
        answer: () => resolve({ rows: [row] }),
        fail: (message) => reject(new Error(message)),
      });
    });
  const causes: unknown[] = [];
  const admissions = new Admissions(
    { query } as unknown as pg.Pool,
    AdmissionSettings.parse({}),
    () => {},
    (cause) => causes.push(cause),
  );
  const nth = async (at: number) => {
    await expect.poll(() => asked.length).toBeGreaterThan(at);
    return asked[at] as (typeof asked)[number];
  };
  return { admissions, nth, causes };
}

const TIMED_OUT = "timeout exceeded when trying to connect";

it("tries again when one connection cannot be opened while the other has its answers", async () => {
  const { admissions, nth, causes } = scripted();
  const slow = admissions.admit(request("a"));
  const first = await nth(0);
  const quick = admissions.admit(request("b"));
  (await nth(1)).answer();
  expect(verdict(await quick)).toBe("admitted");
  first.fail(TIMED_OUT);
  (await nth(2)).answer();
  expect(verdict(await slow)).toBe("admitted");
  expect(causes).toEqual([]);
});

it("counts the database as away when nothing answers, and says why, once", async () => {
  const { admissions, nth, causes } = scripted();
  const one = admissions.admit(request("a"));
  (await nth(0)).fail(TIMED_OUT);
  expect(verdict(await one)).toBe("database_unavailable");
  // Not asked at all for a moment.
  expect(verdict(await admissions.admit(request("b")))).toBe("database_unavailable");
  expect(causes).toEqual([new Error(TIMED_OUT)]);
});
