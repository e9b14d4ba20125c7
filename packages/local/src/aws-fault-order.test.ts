import { expect, test } from "vitest";
import type { FaultRequest } from "./aws-fault.ts";
import { FaultOrder, faultRule } from "./aws-fault-order.ts";

const request = (service: FaultRequest["service"], name: string, headers = {}): FaultRequest => ({
  service,
  name,
  operation: `${service}.${name}`,
  method: "POST",
  url: "/",
  headers,
});
const amzDate = (at: number) => new Date(at).toISOString().replace(/[-:]|\.\d+/g, "");
const rule = (order: object) => faultRule(FaultOrder.parse({ number: 1, plans: [], ...order }));

test("an order's faults meet the operations that it names, in the share that it asks for", () => {
  const made = rule({ plans: [{ operations: ["dynamodb.Batch", "s3."], fault: "reset" }] });
  expect(made(request("dynamodb", "BatchWriteItem"))).toBe("reset");
  expect(made(request("s3", "GetObject"))).toBe("reset");
  expect(made(request("dynamodb", "Query"))).toBeUndefined();
  const rare = rule({ plans: [{ operations: [""], share: 0.25, fault: "hang" }] });
  const hung = Array.from({ length: 4_000 }, () => rare(request("sqs", "SendMessage"))).filter(Boolean);
  expect(hung.length).toBeGreaterThan(800);
  expect(hung.length).toBeLessThan(1_200);
});

test("S3 refuses who signs with a time more than 15 minutes from its own, and tells its own", () => {
  const hour = 3_600_000;
  const signed = (at: number) => request("s3", "PutObject", { "x-amz-date": amzDate(at) });
  expect(rule({})(signed(Date.now()))).toBeUndefined();
  expect(rule({})(signed(Date.now() - hour))).toMatchObject({ status: 403, code: "RequestTimeTooSkewed" });
  const ahead = rule({ clockMs: hour });
  const refused = ahead(signed(Date.now())) as { date: Date };
  expect(Math.abs(refused.date.getTime() - Date.now() - hour)).toBeLessThan(5_000);
  expect(ahead(signed(refused.date.getTime()))).toBeUndefined();
  expect(ahead(request("dynamodb", "Query", { "x-amz-date": amzDate(Date.now()) }))).toBeUndefined();
});

test("an order that is not one is refused", () => {
  expect(() => FaultOrder.parse({ number: 1, plans: [{ operations: ["s3."], fault: "explode" }] })).toThrow();
});
