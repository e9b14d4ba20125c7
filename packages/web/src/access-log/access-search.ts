/** What the access log's address says. */
import type { AccessEntry } from "@central-llm/functions/api/contract-access";
import * as z from "zod/mini";
import { rangeShape } from "../audit/audit-search.ts";
import { keysOf } from "../audit/labels.ts";

export const ACTIONS: Record<AccessEntry["action"], string> = {
  search: "Searched",
  tail: "Watched live",
  view_body: "Read a body",
  export: "Exported",
  download_export: "Got an export's link",
  replay: "Replayed",
  create_key: "Made a key",
  change_key: "Changed a key",
  rotate_key: "Rotated a key",
  block_key: "Blocked a key",
  unblock_key: "Unblocked a key",
};

export const AccessSearch = z.object({
  ...rangeShape,
  user: z.optional(z.string()),
  action: z.optional(z.enum(keysOf(ACTIONS))),
  cursor: z.optional(z.string()),
});
export type AccessSearch = z.infer<typeof AccessSearch>;
