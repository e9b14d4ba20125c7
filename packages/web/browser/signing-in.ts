/** Who may come in, what each role is offered, and the end of a session. */
import { describe, expect, test } from "vitest";
import { CONTEXT, type ConsoleStage, type Person, soon } from "./console-stage.ts";

const PAGES: Record<string, string> = {
  Overview: "/",
  Audit: "/audit",
  "Dead letters": "/dead-letters",
  Exports: "/exports",
  Keys: "/keys",
  "Access log": "/access-log",
};
const MAY: Record<Person, string[]> = {
  viewer: ["Overview", "Audit"],
  "project-viewer": ["Overview", "Audit"],
  auditor: ["Overview", "Audit", "Exports", "Keys", "Access log"],
  operator: ["Overview", "Audit", "Dead letters", "Keys"],
  admin: ["Overview", "Audit", "Keys", "Access log"],
};

export function signingIn(stage: () => ConsoleStage): void {
  describe("signing in", () => {
    test.each(Object.keys(MAY) as Person[])(
      "%s is offered what the role may do, and told so elsewhere",
      async (person) => {
        const page = await stage().open(person);
        const links = page.getByRole("navigation", { name: "Pages", exact: true }).getByRole("link");
        expect(await links.allInnerTexts()).toEqual(MAY[person]);
        for (const [name, path] of Object.entries(PAGES)) {
          if (MAY[person].includes(name)) {
            await links.filter({ hasText: name }).click();
          } else {
            await page.evaluate((path) => history.pushState({}, "", path), path);
            await page.getByRole("alert").filter({ hasText: "Not for your role" }).waitFor();
          }
          await page.getByRole("heading", { level: 1, name }).waitFor();
          await soon(() => page.title()).toBe(`${name} · Central LLM audit`);
          if (MAY[person].includes(name)) expect(await page.getByText("Not for your role").count()).toBe(0);
        }
        await page.close();
      },
    );

    test("the server refuses what the page does not offer, and the page says so", async () => {
      const page = await stage().open("project-viewer", "/audit?project=knowledge-search");
      await page
        .getByRole("region", { name: "Calls found" })
        .getByRole("alert")
        .filter({ hasText: "Not for your role" })
        .waitFor();
      await page.close();
    });

    test("tokens are in memory alone, and a reload signs in again without a question", async () => {
      const page = await stage().open("viewer", "/audit?project=support-bot");
      const kept = () =>
        page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
      expect(await kept()).not.toMatch(/eyJ|token/);
      const before = page.url();
      await page.reload();
      await page.getByRole("heading", { level: 1, name: "Audit", exact: true }).waitFor();
      expect(page.url()).toBe(before);
      expect(await kept()).not.toMatch(/eyJ|token/);
      await page.close();
    });

    test("a token is renewed before it ends", async () => {
      const context = await stage().browser.newContext(CONTEXT);
      const page = await context.newPage();
      await page.clock.install();
      const signedIn = await stage().signIn(page, "viewer", "/audit");
      const renewal = signedIn.waitForRequest((request) =>
        (request.postData() ?? "").includes("grant_type=refresh_token"),
      );
      await page.clock.fastForward(245_000);
      const response = await (await renewal).response();
      expect(response?.status()).toBe(200);
      expect(await page.getByRole("dialog", { name: "Your session has ended" }).count()).toBe(0);
      await context.close();
    });

    test("the end of a session is said, and signing in comes back to the same place", async () => {
      const page = await stage().open("viewer", "/audit?project=support-bot&last=7d");
      await page.getByRole("table", { name: "Calls" }).waitFor();
      const before = page.url();
      // The API sees a token that it no longer takes.
      await page.route("**/api/**", (route) =>
        route.continue({ headers: { ...route.request().headers(), authorization: "Bearer ended" } }),
      );
      await page.getByRole("button", { name: "Refresh" }).click();
      const dialog = page.getByRole("dialog", { name: "Your session has ended" });
      await dialog.waitFor();
      await page.keyboard.press("Escape");
      expect(await dialog.count()).toBe(1);
      await page.unroute("**/api/**");
      await dialog.getByRole("button", { name: "Sign in again" }).click();
      await page.getByRole("table", { name: "Calls" }).waitFor();
      expect(page.url()).toBe(before);
      await page.close();
    });

    test("signing out ends the session at the issuer too", async () => {
      const context = await stage().browser.newContext(CONTEXT);
      const page = await stage().signIn(await context.newPage(), "viewer", "/");
      await page.getByRole("button", { name: "Sign out" }).click();
      // The local issuer asks once more.
      await page.getByRole("heading", { name: "Sign out of Central LLM?" }).waitFor();
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.getByRole("heading", { name: "You are signed out" }).waitFor();
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByLabel("Password").waitFor();
      await context.close();
    });
  });
}
