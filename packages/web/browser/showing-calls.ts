/** The Audit page: what its list shows, also when there is nothing, a fault, or calls as they come. */
import { describe, expect, test } from "vitest";
import { address, column, setFilter, settled } from "./audit-list.ts";
import { CONTEXT, type ConsoleStage, rowsOf, soon } from "./console-stage.ts";
import { TODAY } from "./seed.ts";

export function showingCalls(stage: () => ConsoleStage): void {
  describe("showing calls", () => {
    test("the view: columns, density, rows a page; and each row's proof", async () => {
      const page = await stage().open("viewer", "/audit?project=support-bot");
      await settled(page);
      await page.getByRole("button", { name: "View", exact: true }).click();
      const view = page.getByRole("dialog", { name: "View" });
      for (const name of ["Cost", "Tokens in / out", "Model"])
        await view.getByRole("checkbox", { name, exact: true }).press("Space");
      await view.getByRole("checkbox", { name: "Proof", exact: true }).press("Space");
      await view.getByRole("button", { name: /Density$/ }).click();
      await page.getByRole("option", { name: "Comfortable" }).click();
      await soon(() => address(page)).toMatchObject({
        columns: "receivedAt,project,user,status,latency,marks,proof",
        density: "comfortable",
      });
      await page.keyboard.press("Escape");
      expect(await page.getByRole("columnheader").allInnerTexts()).toContain("Proof");
      const proofs = async () => [...new Set(await column(page, "Proof"))];
      // The seed's records are in no writer's chain, and the page says so.
      await soon(proofs).toEqual(["Nothing vouches for it yet"]);
      await page.goBack();
      await page.close();
    });

    test("charts in a browser whose language is none, as Chromium's is without a locale", async () => {
      const context = await stage().browser.newContext(CONTEXT);
      await context.addInitScript(() =>
        Object.defineProperty(Navigator.prototype, "language", { get: () => "en-US@posix" }),
      );
      const page = await stage().openIn(context, "viewer", "/audit?project=support-bot");
      await settled(page);
      await page.getByRole("img", { name: /calls?, .* errors?, 95 % within/ }).waitFor();
      await context.close();
    });

    test("empty, failed and unreadable do not look alike", async () => {
      const page = await stage().open("viewer", "/audit?project=nobody");
      await page.getByText("No call matches.").waitFor();
      await page
        .getByRole("status")
        .filter({ hasText: "Not proven yet" })
        .filter({ hasText: "have not been checked yet" })
        .waitFor();
      await page.getByRole("button", { name: "Remove all filters" }).click();
      await settled(page);
      await soon(() => rowsOf(page, "Calls").count()).toBe(50);
      expect(TODAY).toBeGreaterThan(50);

      await page.route("**/api/audit?*", (route) => route.abort());
      await setFilter(page, "Project", "support-bot", "text");
      const alert = page.getByRole("alert").filter({ hasText: "Could not load the calls" });
      await alert.waitFor();
      await page.unroute("**/api/audit?*");
      await alert.getByRole("button", { name: "Try again" }).click();
      await settled(page);

      await page.goto(`${stage().url}/audit?status=999x`);
      await page.getByText("This address cannot be read").waitFor();
      expect(await page.getByRole("alert").innerText()).toContain("a status such as 404");
      await page.getByRole("button", { name: "Open the page without filters" }).click();
      await settled(page);
      await page.close();
    });

    test("the live tail shows calls as they come, and holds still while paused", async () => {
      const page = await stage().open("viewer", "/audit?project=live-test&live=1");
      await page.getByText("Waiting for calls.").waitFor();
      const call = async () => {
        const { CENTRAL_URL, CENTRAL_API_KEY = "" } = stage().instance.env;
        const response = await fetch(`${CENTRAL_URL}/v1/chat/completions`, {
          method: "POST",
          headers: {
            "content-type": "application/json",
            "x-api-key": CENTRAL_API_KEY,
            "x-llm-source": "live-test",
            "x-llm-user": "qa",
            "x-llm-request-type": "chat",
          },
          body: JSON.stringify({
            model: "ministral-8b-instruct",
            messages: [{ role: "user", content: "ping" }],
            max_tokens: 4,
          }),
        });
        expect(response.status).toBe(200);
        await response.text();
      };
      await call();
      await soon(() => rowsOf(page, "Calls").count()).toBe(1);
      await page.getByRole("button", { name: "Pause" }).click();
      await call();
      const listed = await stage().open("viewer", "/audit?project=live-test");
      await soon(async () => {
        await listed.getByRole("button", { name: "Refresh" }).click();
        return rowsOf(listed, "Calls").count();
      }).toBe(2);
      await listed.close();
      expect(await rowsOf(page, "Calls").count()).toBe(1);
      await page.getByRole("button", { name: "Resume" }).click();
      await soon(() => rowsOf(page, "Calls").count()).toBe(2);
      await page.close();
    });
  });
}
