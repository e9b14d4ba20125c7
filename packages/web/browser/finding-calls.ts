/** The Audit page: filters, ranges, order, pages, keyboard. Everything by role and label, and in the address. */
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { type ConsoleStage, rowsOf, soon } from "./console-stage.ts";
import { SLOWEST, TODAY, YESTERDAY } from "./seed.ts";

const address = (page: Page) => Object.fromEntries(new URL(page.url()).searchParams);
const filters = (page: Page) => page.getByRole("search", { name: "Filters" });

/** Chooses in a list of options, or types and presses Enter. */
export async function setFilter(
  page: Page,
  label: string,
  value: string,
  kind: "text" | "choice",
): Promise<void> {
  if (kind === "choice") {
    await filters(page)
      .getByRole("button", { name: new RegExp(`${label}$`) })
      .click();
    await page.getByRole("option", { name: value, exact: true }).click();
    return;
  }
  const field = filters(page).getByLabel(label, { exact: true });
  await field.fill(value);
  await field.press("Enter");
}

export const column = (page: Page, name: string, table = "Calls") =>
  rowsOf(page, table).locator(`td[data-label^="${name}"]`).allInnerTexts();

/** The list is the answer to the address, and not the one before it. */
const settled = (page: Page, table = "Calls") =>
  page.locator(`table[aria-label="${table}"][aria-busy="false"]`).waitFor();

const FILTERS: {
  label: string;
  value: string;
  kind: "text" | "choice";
  address: Record<string, string>;
  /** What each row must show then. */
  shows: [column: string, text: RegExp];
}[] = [
  {
    label: "Project",
    value: "support-bot",
    kind: "text",
    address: { project: "support-bot" },
    shows: ["Project", /^support-bot$/],
  },
  {
    label: "User",
    value: "m.okafor@example.com",
    kind: "text",
    address: { user: "m.okafor@example.com" },
    shows: ["User", /^m\.okafor@example\.com$/],
  },
  {
    label: "Model",
    value: "gpt-4o",
    kind: "text",
    address: { model: "gpt-4o" },
    shows: ["Model", /^gpt-4o$/],
  },
  { label: "Status", value: "502", kind: "text", address: { status: "502" }, shows: ["Status", /^502$/] },
  { label: "Status", value: "4xx", kind: "text", address: { status: "4xx" }, shows: ["Status", /^4\d\d$/] },
  {
    label: "Outcome",
    value: "Interrupted",
    kind: "choice",
    address: { outcome: "interrupted" },
    shows: ["Marks", /Interrupted/],
  },
  {
    label: "Latency from (ms)",
    value: "60000",
    kind: "text",
    address: { minLatencyMs: "60000" },
    shows: ["Latency", /^61\.0 s$/],
  },
  {
    label: "Latency to (ms)",
    value: "400",
    kind: "text",
    address: { maxLatencyMs: "400" },
    shows: ["Latency", /^\d{1,3}(\.\d)? ms$/],
  },
  {
    label: "Request type",
    value: "embeddings",
    kind: "text",
    address: { requestType: "embeddings" },
    shows: ["Type", /^embeddings$/],
  },
  {
    label: "Mark",
    value: "Identity mismatch",
    kind: "choice",
    address: { flag: "identity_mismatch" },
    shows: ["Marks", /Identity mismatch/],
  },
  {
    label: "Stream",
    value: "Streams",
    kind: "choice",
    address: { stream: "true" },
    shows: ["Marks", /Stream/],
  },
  {
    label: "Profile",
    value: "Gateway",
    kind: "choice",
    address: { profile: "gateway" },
    shows: ["Profile", /^Gateway$/],
  },
  {
    label: "Text in previews",
    value: "notice period",
    kind: "text",
    address: { text: "notice period" },
    shows: ["Project", /^knowledge-search$/],
  },
  {
    label: "Request id",
    value: "conversation-with-tools",
    kind: "text",
    address: { requestId: "conversation-with-tools" },
    shows: ["User", /^jane\.doe@example\.com$/],
  },
];

export function findingCalls(stage: () => ConsoleStage): void {
  describe("finding calls", () => {
    test("each filter narrows the list, stands in the address, and comes off again", async () => {
      const columns = "receivedAt,project,user,model,requestType,status,latency,profile,marks";
      const page = await stage().open("auditor", `/audit?columns=${columns}`);
      await settled(page);
      await page.getByRole("button", { name: "More filters" }).click();
      for (const { label, value, kind, address: wanted, shows } of FILTERS) {
        await setFilter(page, label, value, kind);
        await soon(() => address(page)).toEqual({ columns, ...wanted });
        await settled(page);
        await soon(() => column(page, shows[0])).not.toHaveLength(0);
        await soon(async () => (await column(page, shows[0])).filter((text) => !shows[1].test(text))).toEqual(
          [],
        );
        await page.getByRole("button", { name: /^Remove filter/ }).click();
        await soon(() => address(page)).toEqual({ columns });
      }
      await page.close();
    });

    test("suggestions come from the trail", async () => {
      const page = await stage().open("auditor", "/audit");
      await filters(page).getByLabel("Project", { exact: true }).click();
      await page.getByRole("option", { name: /^contract-analysis/ }).click();
      await soon(() => address(page)).toEqual({ project: YESTERDAY });
      await page.close();
    });

    test("of thousands of values, those that hold what is typed are asked of the server", async () => {
      const page = await stage().open("auditor", "/audit");
      // The seed has few users: the first answer is cut, so that there are more than it offers.
      await page.route(/\/api\/facets\?(?!.*[?&]q=)/, async (route) => {
        const response = await route.fetch();
        const answer = await response.json();
        answer.fields.user = {
          values: answer.fields.user.values.slice(0, 1),
          total: 10_000,
          otherRequests: 9,
        };
        await route.fulfill({ response, json: answer });
      });
      await page.reload();
      await settled(page);
      await filters(page).getByLabel("User", { exact: true }).click();
      await page.getByRole("option").first().waitFor();
      expect(await page.getByRole("option").count()).toBe(1);
      const asked = page.waitForRequest((request) => new URL(request.url()).searchParams.get("q") === "okaf");
      await page.keyboard.type("okaf");
      await asked;
      await page.getByRole("option", { name: /^m\.okafor@example\.com/ }).click();
      await soon(() => address(page)).toEqual({ user: "m.okafor@example.com" });
      await page.close();
    });

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
      expect(await rowsOf(page, "Calls").count()).toBe(50);
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
