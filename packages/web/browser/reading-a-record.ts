/** A record: drawer and page, conversation, raw JSON, who viewed it; and records that wish the reader ill. */
import { readFile } from "node:fs/promises";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { type ConsoleStage, rowsOf, soon } from "./console-stage.ts";
import { HOSTILE } from "./hostile.ts";
import { CONVERSATION_ID, HOSTILE_PROJECT } from "./seed.ts";

const REASON = "Complaint 4711 of the customer";

async function read(page: Page): Promise<void> {
  await page.getByLabel("Why do you need to read it?").fill(REASON);
  await page.getByRole("button", { name: "Show the conversation" }).click();
  await page.getByRole("list", { name: "Conversation" }).waitFor();
}

export function readingARecord(stage: () => ConsoleStage): void {
  describe("reading a record", () => {
    test("an auditor opens it from the list, states why, reads it, and closes it with the back button", async () => {
      const page = await stage().open("auditor", "/audit?project=knowledge-search");
      const list = page.url();
      await rowsOf(page, "Calls").first().getByRole("link").click();
      const drawer = page.getByRole("dialog", { name: "Record" });
      await drawer.getByRole("heading", { name: "Chain proof" }).waitFor();
      expect(await drawer.getByRole("list", { name: "Conversation" }).count()).toBe(0);
      expect(await drawer.getByRole("button", { name: "Show the conversation" }).isDisabled()).toBe(true);
      await read(page);
      const turns = drawer.getByRole("list", { name: "Conversation" }).locator("> li");
      expect(await turns.getByRole("heading").allInnerTexts()).toEqual([
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
      ]);
      expect(await turns.nth(1).innerText()).toMatch(/Image\s+image\/png, 900 B/);
      expect(await turns.nth(2).innerText()).toMatch(/Tool call\s+find_clause/);
      expect(await turns.nth(3).innerText()).toContain("30 days' notice");
      expect(await turns.nth(4).innerText()).toContain("**30 days**");
      await drawer.getByRole("button", { name: "Render markdown" }).click();
      await turns.nth(4).locator("strong", { hasText: "30 days" }).waitFor();
      await soon(() => drawer.getByRole("table", { name: "Views of this record" }).innerText()).toContain(
        REASON,
      );
      await page.goBack();
      await drawer.waitFor({ state: "detached" });
      expect(page.url()).toBe(list);
      await page.close();
    });

    test("its page has figures, identity, policy, proof, neighbours, and the JSON to take along", async () => {
      const page = await stage().open("auditor", `/records/${CONVERSATION_ID}`);
      await read(page);
      const facts = await page.getByRole("region", { name: "Call", exact: true }).innerText();
      expect(facts).toMatch(/Queue \(until sent to the model\)\s+18 ms/);
      expect(facts).toMatch(/Until the first token\s+192 ms/);
      expect(facts).toMatch(/Stream\s+1,620 ms/);
      expect(await page.getByRole("region", { name: "Tokens and cost" }).innerText()).toMatch(
        /Tokens in\s+498/,
      );
      expect(await page.getByRole("region", { name: "Model and transport" }).innerText()).toContain(
        "203.0.113.9",
      );
      await soon(() => page.getByRole("region", { name: "Chain proof" }).innerText()).toMatch(
        /sha256\s+[0-9a-f]{64}/,
      );
      const neighbours = rowsOf(page, "Neighbouring calls");
      await soon(() => neighbours.count()).toBeGreaterThan(3);
      expect(
        await page.locator('table[aria-label="Neighbouring calls"] tr[aria-current="true"]').innerText(),
      ).toContain("this one");

      const raw = page.getByRole("region", { name: "Raw record", exact: true });
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        raw.getByRole("button", { name: "Download" }).click(),
      ]);
      expect(download.suggestedFilename()).toBe(`${CONVERSATION_ID}.json`);
      const stored = JSON.parse(await readFile(await download.path(), "utf8"));
      expect(stored).toMatchObject({ requestId: CONVERSATION_ID, schemaVersion: 1 });
      expect(stored.request.body.messages).toHaveLength(4);
      await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
      await raw.getByRole("button", { name: "Copy" }).click();
      await raw.getByText("Copied").waitFor();
      expect(JSON.parse(await page.evaluate(() => navigator.clipboard.readText()))).toEqual(stored);
      await raw.getByRole("button", { name: "Show" }).click();
      expect(await page.getByRole("region", { name: "Raw record as JSON" }).innerText()).toContain(
        '"schemaVersion": 1',
      );

      await neighbours.nth(1).getByRole("link").click();
      await soon(() => new URL(page.url()).pathname).not.toContain(CONVERSATION_ID);
      await page.getByRole("heading", { name: "Chain proof" }).waitFor();
      // A body that was read stays with its record.
      expect(await page.getByRole("list", { name: "Conversation" }).count()).toBe(0);
      await page.goBack();
      await soon(() => new URL(page.url()).pathname).toBe(`/records/${CONVERSATION_ID}`);
      await page.close();
    });

    test("an earlier writer's record, which does not say when it was sent, has queue and prompt in one", async () => {
      const page = await stage().open("auditor", "/records/hostile-01");
      const call = page.getByRole("region", { name: "Call", exact: true });
      await call.getByText("Whole", { exact: true }).waitFor();
      expect(await call.innerText()).toMatch(/Queue and prompt, until the first token\s+95 ms/);
      expect(await call.innerText()).not.toContain("until sent");
      await page.close();
    });

    test("a viewer sees what is no content, and that the rest is not for them", async () => {
      const page = await stage().open("viewer", `/records/${CONVERSATION_ID}`);
      await page.getByText("Prompts and answers are for auditors.").waitFor();
      expect(await page.getByRole("button", { name: "Show the conversation" }).count()).toBe(0);
      const transport = await page.getByRole("region", { name: "Model and transport" }).innerText();
      expect(transport).toMatch(/Client address\s+Hidden from your role/);
      expect(await page.getByRole("main").innerText()).not.toMatch(/203\.0\.113\.9|notice period/);
      await page.close();
    });

    test("what does not exist is not found", async () => {
      const page = await stage().open("viewer", "/records/no-such-record");
      await page.getByRole("alert").filter({ hasText: "Not found" }).waitFor();
      await page.goto(`${stage().url}/no-such-page`);
      await page.getByRole("heading", { name: "No such page" }).waitFor();
      await page.close();
    });

    test("50 hostile prompts, names and headers are text and nothing else", async () => {
      expect(HOSTILE).toHaveLength(50);
      const columns = "receivedAt,project,user,model,requestType,promptPreview,responsePreview,requestId";
      const page = await stage().open(
        "auditor",
        `/audit?project=${HOSTILE_PROJECT}&last=7d&limit=50&columns=${columns}`,
      );
      await soon(() => rowsOf(page, "Calls").count()).toBe(50);
      const found = await rowsOf(page, "Calls")
        .locator('td[data-label="Prompt"]')
        .evaluateAll((cells) => cells.map((cell) => cell.textContent));
      const squeezed = (text: string | null) => (text ?? "").replace(/\s+/g, " ").trim();
      // A preview shows the prompt on one line, and may be cut.
      for (const text of HOSTILE) {
        const start = squeezed(text).slice(0, 12);
        expect(
          found.some((cell) => squeezed(cell).includes(start)),
          `${start} in a preview`,
        ).toBe(true);
      }
      const dangerous = () =>
        page.evaluate(() => ({
          ran: "hostileRan" in window,
          // The page's own: nothing that a record holds becomes any of these.
          elements: document.querySelectorAll(
            "main :is(script, iframe, object, embed, form[action], svg, img, video, audio, style, link, meta, base), main a[href^='javascript:']",
          ).length,
        }));
      expect(await dangerous()).toEqual({ ran: false, elements: 0 });
      // Every seventh by its own page, with its headers and names; the first one has all of them in its conversation.
      for (let i = 0; i < HOSTILE.length; i += 7) {
        const id = `hostile-${String(i).padStart(2, "0")}`;
        await page.evaluate((path) => history.pushState({}, "", path), `/records/${id}`);
        await page.getByText(`${id}.json`).waitFor();
        expect(await page.getByRole("region", { name: "Model and transport" }).innerText()).toContain(
          "Program",
        );
        await read(page);
        const said = page.getByRole("list", { name: "Conversation" }).locator(".said");
        expect((await said.allTextContents()).slice(0, -1)).toEqual(i === 0 ? HOSTILE : [HOSTILE[i]]);
        expect(await dangerous(), HOSTILE[i]).toEqual({ ran: false, elements: 0 });
        await page.getByRole("button", { name: "Render markdown" }).click();
        await page.locator(".markdown").first().waitFor();
        expect(await dangerous(), HOSTILE[i]).toEqual({ ran: false, elements: 0 });
      }
      await page.close();
    });
  });
}
