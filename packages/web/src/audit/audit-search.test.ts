import { expect, test } from "vitest";
import * as RouteSearch from "../route-search.ts";
import { AuditSearch, changed, filtersSet, listQuery } from "./audit-search.ts";

const RANGE = { from: "2026-11-20T00:00:00.000Z", to: "2026-11-21T00:00:00.000Z" };

test("an address reads and writes back flat, also where a value looks like JSON or a number", () => {
  const address =
    "?project=42&user=true&requestId=%7B%22a%22%3A1%7D&minLatencyMs=500&status=5xx&text=a+b%26c";
  const search = AuditSearch.parse(RouteSearch.parse(address));
  expect(search).toEqual({
    project: "42",
    user: "true",
    requestId: '{"a":1}',
    minLatencyMs: "500",
    status: "5xx",
    text: "a b&c",
  });
  expect(RouteSearch.parse(RouteSearch.stringify(search))).toEqual(search);
});

test.each([
  "?status=9xx",
  "?status=abc",
  "?outcome=fine",
  "?from=yesterday",
  "?from=2026-11-21T10:00:00",
  "?minLatencyMs=-1",
  "?columns=receivedAt,secret",
  "?last=2y",
  "?sort=fastest",
  "?text=a",
])("%s is refused rather than left out: the list would show more than was asked for", (address) => {
  expect(AuditSearch.safeParse(RouteSearch.parse(address)).success).toBe(false);
});

test("the question to the API has the filters, the range and the page, and nothing of the view", () => {
  const search = AuditSearch.parse(
    RouteSearch.parse("?project=p&sort=slowest&cursor=c&density=compact&columns=receivedAt&live=1&record=r"),
  );
  expect(JSON.parse(JSON.stringify(listQuery(search, RANGE, false)))).toEqual({
    project: "p",
    sort: "slowest",
    cursor: "c",
    ...RANGE,
  });
  expect(filtersSet(search)).toEqual(["project"]);
});

test("looking for something else starts at the first page, of now", () => {
  const search: AuditSearch = { project: "p", cursor: "c", at: RANGE.to, last: "24h" };
  expect(RouteSearch.stringify(changed(search, { user: "u" }))).toBe("?project=p&last=24h&user=u");
});
