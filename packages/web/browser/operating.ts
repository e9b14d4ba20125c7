/** Exports, dead letters, keys, the access log, the overview: what is done with the trail, and what shows its health. */
import { readFile } from "node:fs/promises";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { column, setFilter } from "./audit-list.ts";
import { type ConsoleStage, rowsOf, soon } from "./console-stage.ts";
import { repaired } from "./seed.ts";

const REASON = "Quarterly review 2026-Q4";

/** RFC 4180: cells of lines; a quoted cell may hold commas and line ends. */
function cells(csv: string): string[][] {
  const lines: string[][] = [[]];
  for (const [, quoted, bare, end] of csv.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g)) {
    lines.at(-1)?.push(quoted?.replaceAll('""', '"') ?? bare ?? "");
    if (end?.endsWith("\n")) lines.push([]);
    if (end === "") break;
  }
  return lines.filter((line) => line.length > 1);
}

/** @param shown in the new job's row */
async function exportAs(page: Page, file: RegExp, shown: string): Promise<string> {
  await page.getByRole("button", { name: "Export", exact: true }).click();
  const dialog = page.getByRole("dialog", { name: "Export all matches" });
  const start = dialog.getByRole("button", { name: "Start export" });
  expect(await start.isDisabled()).toBe(true);
  await dialog.getByRole("button", { name: /File$/ }).click();
  await page.getByRole("option", { name: file }).click();
  await dialog.getByLabel("Reason").fill(REASON);
  await start.click();
  await page.getByRole("heading", { level: 1, name: "Exports" }).waitFor();
  const newest = rowsOf(page, "Exports").first().filter({ hasText: shown });
  const download = newest.getByRole("button", { name: /^Download/ });
  await download.waitFor({ timeout: 60_000 });
  const [file_] = await Promise.all([page.waitForEvent("download"), download.click()]);
  return readFile(await file_.path(), "utf8");
}

export function operating(stage: () => ConsoleStage): void {
  describe("exports", () => {
    test("all matches as CSV and as whole records, downloaded and parsed", async () => {
      const page = await stage().open(
        "auditor",
        "/audit?project=support-bot&status=2xx&limit=200&columns=receivedAt,requestId",
      );
      await soon(() => rowsOf(page, "Calls").count()).toBeGreaterThan(10);
      const ids = await column(page, "Request id");
      const csv = await exportAs(page, /^CSV/, "CSV");
      const [head = [], ...lines] = cells(csv.replace(/^\uFEFF/, ""));
      const at = head.indexOf("requestId");
      expect(at).toBeGreaterThanOrEqual(0);
      expect(lines.map((line) => line[at]).sort()).toEqual([...ids].sort());
      await page.goBack();
      await soon(() => rowsOf(page, "Calls").count()).toBe(ids.length);
      const jsonl = await exportAs(page, /bodies included/, "JSONL, with bodies");
      const objects = jsonl
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      expect(objects.map(({ requestId }) => requestId).sort()).toEqual([...ids].sort());
      expect(objects[0].request.body.messages.length).toBeGreaterThan(0);
      expect(await rowsOf(page, "Exports").first().innerText()).toMatch(
        /Done[\s\S]*100%[\s\S]*project = support-bot/,
      );
      await page.close();
    });
  });

  describe("dead letters", () => {
    test("one is repaired and replayed until its row appears", async () => {
      const page = await stage().open("operator", "/");
      await soon(async () => {
        await page.getByRole("button", { name: "Refresh" }).click();
        return page.getByRole("alert").filter({ hasText: /dead/i }).count();
      }).toBe(1);
      await page.getByRole("link", { name: "Dead letters" }).last().click();
      const letter = rowsOf(page, "Dead letters");
      await soon(async () => {
        await page.getByRole("button", { name: "Refresh" }).click();
        return letter.count();
      }).toBe(1);
      expect(await letter.innerText()).toContain("Not JSON");
      await setFilter(page, "Reason", "Access denied", "choice");
      await page.getByText("No dead letter matches.").waitFor();
      await setFilter(page, "Reason", "Not JSON", "choice");
      await setFilter(page, "Object key starts with", "logs/2", "text");
      await letter.waitFor();

      // The repaired object comes with an event of its own: without the row that this makes, only the replay can make one.
      await stage().store(repaired());
      await stage().forget(repaired());
      await letter.getByRole("checkbox", { name: /^Choose logs/ }).press("Space");
      await page.getByRole("button", { name: "Replay chosen (1)" }).click();
      const dialog = page.getByRole("dialog", { name: "Replay" });
      await dialog.getByText("1 dead letter would be sent to ingest again").waitFor();
      await dialog.getByRole("button", { name: "Replay" }).click();
      await dialog.getByText("1 dead letter sent to ingest again.").waitFor();
      await dialog.getByRole("button", { name: "Close" }).last().click();
      await soon(async () => {
        await page.getByRole("button", { name: "Refresh" }).click();
        return letter.count();
      }).toBe(0);

      await page.evaluate(() =>
        history.pushState({}, "", "/audit?project=repairs&columns=receivedAt,requestId"),
      );
      await soon(async () => {
        await page.getByRole("button", { name: "Refresh" }).click();
        return column(page, "Request id");
      }).toEqual(["repaired-later"]);
      await page.close();
    });
  });

  describe("completeness", () => {
    test("an operator checks an hour without waiting for the hourly run", async () => {
      const page = await stage().open("operator", "/dead-letters");
      const hours = rowsOf(page, "Checked hours");
      await soon(() => hours.count()).toBe(24);
      // The last settled hour but five: nothing of the seed is in it.
      const row = hours.nth(5);
      await row.getByRole("button", { name: /^Check now/ }).click();
      await page
        .getByRole("status")
        .filter({ hasText: /^The hour from .* GMT\+1: / })
        .waitFor();
      await soon(() => row.innerText()).toMatch(/Complete|Not complete/);
      await page.close();
    });
  });

  describe("overview", () => {
    test("figures, budgets and tops are of calls of models, and lead to them", async () => {
      const page = await stage().open("admin", "/?last=7d");
      const figures = page.getByLabel("Figures", { exact: true });
      await soon(() => figures.innerText()).toMatch(/Calls\s+[1-9][\d,]*[\s\S]*Spend\s+\$/);
      await page.getByRole("meter", { name: /^demo/ }).waitFor();
      expect(await page.getByRole("meter", { name: /^demo/ }).getAttribute("aria-valuetext")).toMatch(
        /^\$[\d.]+ of \$100\.00 \(/,
      );
      // This page has asked the gateway for budgets, which the gateway audits: no call of a model.
      const projects = () => rowsOf(page, "Top projects").allInnerTexts();
      await soon(async () => (await projects()).length).toBeGreaterThan(2);
      expect((await projects()).join()).not.toContain("gateway-admin");
      await page
        .getByRole("table", { name: "Top models" })
        .getByRole("link", { name: "gpt-4o-mini" })
        .click();
      await soon(() => new URL(page.url()).searchParams.get("model")).toBe("gpt-4o-mini");
      await page.close();
    });
  });

  describe("keys", () => {
    test("an admin makes one, limits, rotates and blocks it, and the gateway heeds that", async () => {
      const { GATEWAY_URL } = stage().instance.env;
      const status = async (secret: string) => {
        const response = await fetch(`${GATEWAY_URL}/v1/models`, {
          headers: { authorization: `Bearer ${secret}` },
        });
        await response.text();
        return response.status;
      };
      const page = await stage().open("admin", "/keys");
      await page.getByRole("button", { name: "Create key" }).click();
      const form = page.getByRole("dialog", { name: "Create key" });
      await form.getByLabel("Calls a minute").fill("many");
      await form.getByRole("button", { name: "Create" }).click();
      await form.getByText("A key needs an alias.").waitFor();
      await form.getByText("A whole number, or nothing.").waitFor();
      await form.getByLabel("Alias").fill("browser-test");
      await form.getByLabel("Calls a minute").fill("100");
      await form.getByLabel("Budget ($)").fill("25");
      await form.getByRole("button", { name: "Create" }).click();
      const shown = page.getByRole("dialog", { name: "The key browser-test" });
      const first = await shown.locator("code").innerText();
      expect(first).toMatch(/^sk-/);
      await page.keyboard.press("Escape");
      await shown.getByRole("button", { name: "I have it" }).click();
      await shown.waitFor({ state: "detached" });
      expect(await page.getByText(first).count()).toBe(0);
      expect(await status(first)).toBe(200);

      await setFilter(page, "Alias", "browser-test", "text");
      const row = rowsOf(page, "Keys");
      await soon(() => row.count()).toBe(1);
      expect(await row.innerText()).toMatch(/Active[\s\S]*\$0 of \$25\.00[\s\S]*100 \/ any/);
      await row.getByRole("button", { name: "Limits of browser-test" }).click();
      const limits = page.getByRole("dialog", { name: "Limits of browser-test" });
      await limits.getByLabel("Tokens a minute").fill("5000");
      await limits.getByRole("button", { name: "Save" }).click();
      await limits.waitFor({ state: "detached" });
      await soon(() => row.innerText()).toContain("100 / 5,000");

      await row.getByRole("button", { name: "Rotate browser-test" }).click();
      await page
        .getByRole("dialog", { name: "Rotate browser-test?" })
        .getByRole("button", { name: "Rotate" })
        .click();
      const second = await shown.locator("code").innerText();
      expect(second).not.toBe(first);
      await shown.getByRole("button", { name: "I have it" }).click();
      await soon(() => status(first)).toBe(401);
      expect(await status(second)).toBe(200);

      await row.getByRole("button", { name: "Block browser-test", exact: true }).click();
      await page
        .getByRole("dialog", { name: "Block browser-test?" })
        .getByRole("button", { name: "Block" })
        .click();
      await soon(() => row.innerText()).toContain("Blocked");
      await soon(() => status(second)).not.toBe(200);
      await row.getByRole("button", { name: "Unblock browser-test" }).click();
      await page
        .getByRole("dialog", { name: "Unblock browser-test?" })
        .getByRole("button", { name: "Unblock" })
        .click();
      await soon(() => row.innerText()).toContain("Active");
      await soon(() => status(second)).toBe(200);
      await page.close();

      const reader = await stage().open("operator", "/keys");
      await soon(() => rowsOf(reader, "Keys").count()).toBeGreaterThan(0);
      expect(await reader.getByRole("button", { name: /Create key|Rotate|Block/ }).count()).toBe(0);
      await reader.close();
    });
  });

  describe("access log", () => {
    test("says who searched, read, exported and replayed, and why", async () => {
      const page = await stage().open("admin", "/access-log");
      const rows = rowsOf(page, "Accesses");
      await soon(() => rows.count()).toBeGreaterThan(3);
      await setFilter(page, "What", "Exported", "choice");
      await soon(() => column(page, "What", "Accesses")).toEqual(["Exported", "Exported"]);
      expect(await column(page, "Reason", "Accesses")).toEqual([REASON, REASON]);
      await setFilter(page, "What", "Read a body", "choice");
      await setFilter(page, "Who", "auditor", "text");
      await soon(async () => new Set(await column(page, "What", "Accesses"))).toEqual(
        new Set(["Read a body"]),
      );
      await soon(async () => new Set(await column(page, "Who", "Accesses"))).toEqual(new Set(["auditor"]));
      await rows
        .first()
        .getByRole("link", { name: /^Open the audit record/ })
        .click();
      await page.getByRole("region", { name: "Call", exact: true }).getByText("Console (access)").waitFor();
      await page.close();
    });
  });
}
