/** The Audit page: links, pages, ranges, order, keyboard. */
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { address, column, filters, setFilter, settled } from "./audit-list.ts";
import { type ConsoleStage, soon } from "./console-stage.ts";
import { SLOWEST, YESTERDAY } from "./seed.ts";

export function findingCalls(stage: () => ConsoleStage): void {
  describe("finding calls", () => {
    test("a link shows the same list, and the back button the one before", async () => {
      const link =
        "/audit?project=support-bot&last=7d&columns=receivedAt%2Cproject%2CrequestId&density=comfortable&utc=1";
      const page = await stage().open("viewer", link);
      await settled(page);
      expect(new Set(await column(page, "Project"))).toEqual(new Set(["support-bot"]));
      await page.getByRole("columnheader", { name: "Received (UTC)" }).waitFor();
      await page.getByRole("columnheader", { name: "Request id" }).waitFor();
      expect(await page.getByRole("columnheader").count()).toBe(3);
      const before = page.url();
      await setFilter(page, "Status", "5xx", "text");
      await soon(() => address(page)).toMatchObject({ status: "5xx", project: "support-bot", utc: "1" });
      await page.goBack();
      await soon(() => page.url()).toBe(before);
      expect(await filters(page).getByLabel("Status", { exact: true }).inputValue()).toBe("");
      await page.close();
    });

    test("pages go on where the one before ended, and back", async () => {
      const page = await stage().open("viewer", "/audit?limit=25&columns=receivedAt,requestId");
      await settled(page);
      const first = await column(page, "Request id");
      expect(first).toHaveLength(25);
      await page.getByRole("button", { name: "Next page" }).click();
      await soon(() => address(page)).toHaveProperty("cursor");
      let second: string[] = [];
      await soon(async () => {
        second = await column(page, "Request id");
        return second.length > 0 && !second.some((id) => first.includes(id));
      }).toBe(true);
      // By its address alone, later.
      const again = await stage().open("viewer", new URL(page.url()).pathname + new URL(page.url()).search);
      await settled(again);
      expect(await column(again, "Request id")).toEqual(second);
      expect(await again.getByRole("button", { name: "Previous" }).isDisabled()).toBe(true);
      await again.close();
      await page.getByRole("button", { name: "Previous" }).click();
      await soon(() => column(page, "Request id")).toEqual(first);
      await page.close();
    });

    test("presets, two instants, and UTC", async () => {
      const page = await stage().open("viewer", "/audit");
      await settled(page);
      await page.getByRole("button", { name: /^Time range: Last 24 hours, GMT\+1/ }).click();
      await page.getByText("Times in UTC").click();
      await soon(() => address(page)).toEqual({ utc: "1" });
      await page.getByRole("button", { name: "Yesterday" }).click();
      await soon(() => address(page)).toEqual({ utc: "1", last: "yesterday" });
      const day = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
      await soon(async () =>
        (await column(page, "Received")).filter((time) => !time.startsWith(day)),
      ).toEqual([]);
      await page.getByRole("button", { name: /^Time range: Yesterday, UTC/ }).click();
      const dialog = page.getByRole("dialog", { name: "Time range" });
      await dialog.getByLabel("From (UTC)").fill(`${day}T12:00:00`);
      await dialog.getByLabel("To (UTC)").fill(`${day}T12:00:30`);
      await dialog.getByRole("button", { name: "Use this range" }).click();
      await soon(() => address(page)).toEqual({
        utc: "1",
        from: `${day}T12:00:00.000Z`,
        to: `${day}T12:00:30.000Z`,
      });
      await soon(() => column(page, "User")).toEqual([SLOWEST[0]?.userId]);
      await page.close();
    });

    test("dragging over the chart makes that the range", async () => {
      const page = await stage().open("viewer", "/audit?last=24h");
      const chart = page.getByRole("img", { name: /calls?, .* errors?, 95 % within/ });
      await chart.waitFor();
      const over = await page.locator(".u-over").boundingBox();
      if (!over) throw new Error("the chart has no box");
      const y = over.y + over.height / 2;
      await page.mouse.move(over.x + over.width * 0.6, y);
      await page.mouse.down();
      await page.mouse.move(over.x + over.width * 0.8, y, { steps: 4 });
      await page.mouse.up();
      await soon(() => Object.keys(address(page)).sort()).toEqual(["from", "to"]);
      const { from = "", to = "" } = address(page);
      const hours = (Date.parse(to) - Date.parse(from)) / 3_600_000;
      expect(hours).toBeGreaterThan(3.5);
      expect(hours).toBeLessThan(6.5);
      await page.getByRole("button", { name: "As table" }).click();
      await page.getByRole("table", { name: "Figures over time" }).waitFor();
      await page.close();
    });

    test("slowest first asks whose, and orders", async () => {
      const page = await stage().open("viewer", "/audit");
      await settled(page);
      await page.getByRole("button", { name: "Latency" }).click();
      await page.getByText("Whose slowest calls?").waitFor();
      await page.getByRole("button", { name: /^support-bot/ }).click();
      await settled(page, "Slowest calls");
      expect(address(page)).toEqual({ sort: "slowest", project: "support-bot" });
      expect(await page.getByRole("columnheader", { name: "Latency" }).getAttribute("aria-sort")).toBe(
        "descending",
      );
      const shown = await column(page, "Latency", "Slowest calls");
      const ms = shown.map(
        (text) => Number.parseFloat(text.replace(",", "")) * (text.endsWith(" s") ? 1000 : 1),
      );
      expect(ms).toEqual([...ms].sort((a, b) => b - a));
      expect(ms.length).toBeGreaterThan(10);
      await page.close();
    });

    test("the keyboard alone finds and opens a call", async () => {
      const page = await stage().open("viewer", "/audit");
      await settled(page);
      const focused = () => page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? "");
      await page.keyboard.press("?");
      await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
      await page.keyboard.press("Escape");
      await page.keyboard.press("/");
      expect(
        await filters(page)
          .getByLabel("Project", { exact: true })
          .evaluate((field) => field === document.activeElement),
      ).toBe(true);
      await page.keyboard.type("jk?");
      expect(await filters(page).getByLabel("Project", { exact: true }).inputValue()).toBe("jk?");
      for (let i = 0; i < 3; i++) await page.keyboard.press("Backspace");
      await page.getByRole("listbox").waitFor();
      await page.keyboard.press("Escape");
      await page.getByRole("listbox").waitFor({ state: "detached" });
      await page.getByRole("heading", { level: 1 }).click();
      await page.keyboard.press("j");
      const first = await focused();
      expect(first).toContain("status");
      await page.keyboard.press("j");
      expect(await focused()).not.toBe(first);
      await page.keyboard.press("k");
      expect(await focused()).toBe(first);
      await page.keyboard.press("Enter");
      await page.getByRole("dialog", { name: "Record" }).waitFor();
      expect(address(page)).toHaveProperty("record");
      await page.keyboard.press("Escape");
      await page.getByRole("dialog", { name: "Record" }).waitFor({ state: "detached" });
      await soon(focused).toBe(first);
      await page.close();
    });

    test("a stranger finds yesterday's three slowest gpt calls of a project, and who made them", async () => {
      const page = await stage().open("viewer", "/?utc=1");
      let clicks = 0;
      const click = async (target: ReturnType<Page["getByRole"]>) => {
        await target.click();
        clicks += 1;
      };
      await click(page.getByRole("button", { name: /^Time range/ }));
      await click(page.getByRole("button", { name: "Yesterday" }));
      await click(page.getByRole("table", { name: "Top projects" }).getByRole("link", { name: YESTERDAY }));
      await click(page.getByRole("button", { name: "Slowest first" }));
      await click(filters(page).getByLabel("Model", { exact: true }));
      await click(page.getByRole("option", { name: /^gpt-4o(?!-)/ }));
      await settled(page, "Slowest calls");
      await soon(async () => new Set(await column(page, "Model", "Slowest calls"))).toEqual(
        new Set(["gpt-4o"]),
      );
      expect((await column(page, "User", "Slowest calls")).slice(0, 3)).toEqual(
        SLOWEST.map(({ userId }) => userId),
      );
      // docs/console.md says so.
      expect(clicks).toBe(6);
      await page.close();
    });
  });
}
