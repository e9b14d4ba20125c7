/** The Audit page: its filters, and what they offer. */
import { describe, expect, test } from "vitest";
import { address, column, filters, setFilter, settled } from "./audit-list.ts";
import { type ConsoleStage, soon } from "./console-stage.ts";
import { YESTERDAY } from "./seed.ts";

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
    // The slow ones of yesterday's noon are among the last day's in the morning.
    shows: ["Latency", /^(61|90|95)\.0 s$/],
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

export function filteringCalls(stage: () => ConsoleStage): void {
  describe("filtering calls", () => {
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
  });
}
