/** What the tests of the Audit page do with it: everything by role and label, and in the address. */
import type { Page } from "playwright-core";
import { rowsOf } from "./console-stage.ts";

export const address = (page: Page) => Object.fromEntries(new URL(page.url()).searchParams);
export const filters = (page: Page) => page.getByRole("search", { name: "Filters" });

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
export const settled = (page: Page, table = "Calls") =>
  page.locator(`table[aria-label="${table}"][aria-busy="false"]`).waitFor();
