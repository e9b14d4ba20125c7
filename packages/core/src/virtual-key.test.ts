import { describe, expect, it } from "vitest";
import {
  after,
  Duration,
  GenerateKey,
  hashKey,
  keyName,
  keyOf,
  newKey,
  sameSecret,
  TIERS,
  tokenOf,
} from "./virtual-key.ts";

describe("keys", () => {
  it("are hashed as LiteLLM hashes them", () => {
    expect(hashKey("sk-1234")).toBe("88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b");
    expect(tokenOf("sk-1234")).toBe(hashKey("sk-1234"));
    expect(tokenOf(hashKey("sk-1234"))).toBe(hashKey("sk-1234"));
    expect(keyName("sk-1234567890abcd")).toBe("sk-...abcd");
    expect(new Set(Array.from({ length: 1_000 }, newKey)).size).toBe(1_000);
  });

  it("come in the headers that LiteLLM reads, in its order, whatever the later ones say", () => {
    expect(keyOf({})).toBeNull();
    const order = [
      ["x-litellm-api-key", "Bearer sk-own"],
      ["authorization", "Bearer sk-bearer"],
      ["api-key", "sk-azure"],
      ["x-api-key", "sk-anthropic"],
      ["x-goog-api-key", "sk-google"],
      ["ocp-apim-subscription-key", "sk-apim"],
    ] as const;
    for (const [place, [, key]] of order.entries())
      expect(keyOf(Object.fromEntries(order.slice(place)))).toBe(key.replace("Bearer ", ""));
    expect(keyOf({ authorization: "bearer  sk-a " })).toBe("sk-a");
    expect(keyOf({ "x-litellm-api-key": "sk-plain" })).toBe("sk-plain");
    // An empty Authorization is none; one of another kind is a key that nobody has, though another header had a good one.
    expect(keyOf({ authorization: "", "x-api-key": "sk-a" })).toBe("sk-a");
    expect(keyOf({ authorization: "Basic abc", "x-api-key": "sk-a" })).toBe("");
    expect(keyOf({ "x-litellm-api-key": "", authorization: "Bearer sk-a" })).toBe("");
    expect(keyOf({ authorization: "Bearer " })).toBe("");
    expect(keyOf({ authorization: `Bearer sk-${"x".repeat(600)}` })).toBe("");
  });

  it("are compared whole", () => {
    expect(sameSecret("sk-a", "sk-a")).toBe(true);
    for (const other of ["sk-b", "sk-", "sk-aa", "", "ｓk-a", "SK-A"])
      expect(sameSecret(other, "sk-a")).toBe(false);
  });
});

describe("durations", () => {
  it("are LiteLLM's", () => {
    for (const good of ["30s", "15m", "12h", "30d", "2w", "1mo"])
      expect(Duration.safeParse(good).success, good).toBe(true);
    for (const bad of ["", "0d", "-1d", "1y", "1.5h", "1 d", "mo", "1mos", "1d; DROP TABLE x"])
      expect(Duration.safeParse(bad).success, bad).toBe(false);
  });

  it("end when the calendar says", () => {
    const from = new Date("2027-01-31T10:00:00Z");
    const end = (duration: string) => after(duration, from).toISOString();
    expect(end("30s")).toBe("2027-01-31T10:00:30.000Z");
    expect(end("15m")).toBe("2027-01-31T10:15:00.000Z");
    expect(end("12h")).toBe("2027-01-31T22:00:00.000Z");
    expect(end("30d")).toBe("2027-03-02T10:00:00.000Z");
    expect(end("1mo")).toBe("2027-02-28T10:00:00.000Z");
    expect(end("12mo")).toBe("2028-01-31T10:00:00.000Z");
  });
});

describe("requests for keys", () => {
  it("have the seeds' tiers", () => {
    expect(TIERS).toEqual({
      standard: { tpm_limit: 10_000, rpm_limit: 100, max_budget: 50, budget_duration: "1mo" },
      admin: { tpm_limit: 100_000, rpm_limit: 1_000, max_budget: 500, budget_duration: "1mo" },
    });
  });

  it("are refused when a limit is none", () => {
    for (const bad of [
      { rpm_limit: -1 },
      { tpm_limit: 1.5 },
      { max_budget: -0.01 },
      { max_budget: Number.NaN },
      { max_parallel_requests: 2 ** 31 },
      { key: "pk-0123456789abcdef" },
      { user_id: "\ud800" },
    ]) {
      expect(GenerateKey.safeParse(bad).success, JSON.stringify(bad)).toBe(false);
    }
  });
});
