/** A list whose answers come back short, as those over large tables do: here they are cut on their way to the page. */
import type { Page, Route } from "playwright-core";
import { describe, expect, test } from "vitest";
import { type ConsoleStage, rowsOf, soon } from "./console-stage.ts";

const LIST = "**/api/audit?*";
/** Answers until the end of the list, with a row each. */
const ALL = 13;
const cursorOf = (nth: number) => `cut-${nth}`;

/** Cuts the list into answers of one row. @param hold the answer that has to wait, and until when */
async function cut(page: Page, hold?: { nth: number; until: Promise<void> }) {
  const limits: number[] = [];
  await page.route(LIST, async (route: Route) => {
    const url = new URL(route.request().url());
    const nth = Number(url.searchParams.get("cursor")?.slice("cut-".length) ?? 0);
    limits.push(Number(url.searchParams.get("limit") ?? 50));
    if (nth === hold?.nth) await hold.until;
    url.searchParams.delete("cursor");
    url.searchParams.set("limit", "50");
    let response = await route.fetch({ url: url.href });
    const answer = await response.json();
    // Soon after midnight the first answer has today's calls alone.
    for (let next = answer.nextCursor; next !== null && answer.rows.length < ALL; ) {
      url.searchParams.set("cursor", next);
      response = await route.fetch({ url: url.href });
      const older = await response.json();
      answer.rows.push(...older.rows);
      next = older.nextCursor;
    }
    const [from, to] = [Date.parse(answer.from), Date.parse(answer.to)];
    const more = nth + 1 < ALL;
    const json = {
      ...answer,
      rows: answer.rows.slice(nth, nth + 1),
      partial: more,
      nextCursor: more ? cursorOf(nth + 1) : null,
      searchedUntil: new Date(more ? to - ((to - from) * (nth + 1)) / ALL : from).toISOString(),
      work: { examined: 500, queries: 12 },
    };
    // A request that the page gave up has nobody who could take the answer.
    await route.fulfill({ response, json }).catch(() => {});
  });
  return limits;
}

const count = (page: Page) => rowsOf(page, "Calls").count();

export function searchingOn(stage: () => ConsoleStage): void {
  describe("a search that takes many answers", () => {
    test("goes on by itself, ten answers a press, and says how far it came", async () => {
      const page = await stage().open("viewer", "/audit?project=nobody");
      const limits = await cut(page);
      await page.getByRole("button", { name: "Remove all filters" }).click();
      await page.getByText("Stopped searching.").waitFor();
      expect(await count(page)).toBe(10);
      expect(limits).toEqual(Array.from({ length: 10 }, (_, nth) => 50 - nth));
      await page.getByText("76 % of the window").waitFor();
      await page.getByText("5,000 rows looked at; older ones are not searched yet.").waitFor();
      await page.getByRole("button", { name: "Go on" }).click();
      await soon(() => count(page)).toBe(ALL);
      expect(await page.getByText("Searched until").count()).toBe(0);
      expect(await page.getByRole("button", { name: "Next page" }).isDisabled()).toBe(true);
      await page.close();
    });

    test("is stopped and let go on; its address and the back button show what they showed", async () => {
      const page = await stage().open("viewer", "/audit?project=nobody");
      const { promise, resolve } = Promise.withResolvers<void>();
      await cut(page, { nth: 4, until: promise });
      await page.getByRole("button", { name: "Remove all filters" }).click();
      await soon(() => count(page)).toBe(4);
      await page.getByText("Searching on.").waitFor();
      await page.getByRole("button", { name: "Stop" }).click();
      await page.getByText("Stopped searching.").waitFor();
      resolve();
      expect(await count(page)).toBe(4);
      await page.getByRole("button", { name: "Next page" }).click();
      await soon(() => new URL(page.url()).searchParams.get("cursor")).toBe(cursorOf(4));
      await soon(() => count(page)).toBe(ALL - 4);
      const deep = await stage().open("viewer", "/");
      await cut(deep);
      await deep.goto(page.url());
      await soon(() => count(deep)).toBe(ALL - 4);
      await deep.close();
      await page.goBack();
      await page.getByText("Stopped searching.").waitFor();
      expect(await count(page)).toBe(4);
      await page.getByRole("button", { name: "Go on" }).click();
      await soon(() => count(page)).toBe(ALL);
      await page.close();
    });

    test("that fails on its way keeps what it found, and is tried again", async () => {
      const page = await stage().open("viewer", "/audit?project=nobody");
      await cut(page);
      const third = `**/api/audit?*cursor=${cursorOf(3)}*`;
      await page.route(third, (route) => route.abort());
      await page.getByRole("button", { name: "Remove all filters" }).click();
      const alert = page.getByRole("alert").filter({ hasText: "Could not load older calls" });
      await alert.waitFor();
      expect(await count(page)).toBe(3);
      await page.unroute(third);
      await alert.getByRole("button", { name: "Try again" }).click();
      await page.getByText("Stopped searching.").waitFor();
      expect(await count(page)).toBe(10);
      await page.close();
    });
  });
}
