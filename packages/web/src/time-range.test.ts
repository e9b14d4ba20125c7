import { expect, test } from "vitest";
import * as TimeRange from "./time-range.ts";
import * as TimeZone from "./time-zone.ts";

const NOW = Date.parse("2026-11-21T10:30:15.250Z");

test("a preset counts from now, or from the instant that pages are pinned to", () => {
  expect(TimeRange.resolve({}, "utc", NOW)).toEqual({
    from: "2026-11-20T10:30:15.250Z",
    to: "2026-11-21T10:30:15.250Z",
  });
  expect(TimeRange.resolve({ last: "15m", at: "2026-11-01T00:00:00Z" }, "utc", NOW)).toEqual({
    from: "2026-10-31T23:45:00.000Z",
    to: "2026-11-01T00:00:00.000Z",
  });
});

test("days are those of the zone", () => {
  expect(TimeRange.resolve({ last: "yesterday" }, "utc", NOW)).toEqual({
    from: "2026-11-20T00:00:00.000Z",
    to: "2026-11-21T00:00:00.000Z",
  });
  const local = TimeRange.resolve({ last: "yesterday" }, "local", NOW);
  expect(new Date(local.from).getHours()).toBe(0);
  expect(new Date(local.to).getDate()).toBe(new Date(NOW).getDate());
});

test("two instants win over a preset", () => {
  const search = { last: "7d", from: "2026-11-01T00:00:00+01:00", to: "2026-11-02T00:00:00Z" } as const;
  expect(TimeRange.resolve(search, "utc", NOW)).toEqual({
    from: "2026-10-31T23:00:00.000Z",
    to: "2026-11-02T00:00:00.000Z",
  });
  expect(TimeRange.label(search, "utc")).toBe("2026-10-31 23:00 – 2026-11-02 00:00");
});

test("an instant reads back as it was typed", () => {
  for (const zone of ["utc", "local"] as const) {
    const typed = TimeZone.toInput("2026-11-21T10:30:15.000Z", zone);
    expect(TimeZone.fromInput(typed, zone)).toBe("2026-11-21T10:30:15.000Z");
  }
  expect(TimeZone.fromInput("no time", "utc")).toBeNull();
  expect(TimeZone.full("2026-11-21T10:30:15.250Z", "utc")).toBe("2026-11-21 10:30:15.250 UTC");
});
