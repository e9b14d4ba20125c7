/** What the keys' address says. */
import * as z from "zod/mini";

const Text = z.optional(z.string().check(z.maxLength(512)));

export const KeySearch = z.object({
  page: z.optional(z.string().check(z.regex(/^[1-9]\d{0,4}$/, "a page number"))),
  user: Text,
  team: Text,
  alias: Text,
});
export type KeySearch = z.infer<typeof KeySearch>;
