/** What the database knows of the key that calls; the admission brings it along, so that nobody needs to ask again. */
import { z } from "zod";

const Metadata = z.record(z.string(), z.unknown());

export const CallContext = z.object({
  /** sha256 of the key that is in force: of the new one while a regenerated key's grace period runs. */
  token: z.string(),
  keyName: z.string().nullable(),
  keyAlias: z.string().nullable(),
  userId: z.string().nullable(),
  userEmail: z.string().nullable(),
  teamId: z.string().nullable(),
  teamAlias: z.string().nullable(),
  organizationId: z.string().nullable(),
  /** US dollars, before this request. */
  spend: z.number(),
  maxBudget: z.number().nullable(),
  tpmLimit: z.number().nullable(),
  rpmLimit: z.number().nullable(),
  /** The model that the key's own aliases put in place of the requested one. */
  modelAlias: z.string().nullable(),
  /** LiteLLM's route restrictions; empty or null: all routes. */
  allowedRoutes: z.array(z.string()).nullable(),
  metadata: Metadata.nullable(),
  teamMetadata: Metadata.nullable(),
});
export type CallContext = z.infer<typeof CallContext>;

/** Text that PostgreSQL's JSON takes: without NUL and half surrogates, which a client can send. */
export const storable = (text: string) => text.replaceAll("\0", "\ufffd").toWellFormed();
export const storableJson = (value: unknown) =>
  JSON.stringify(value, (_, inner) => (typeof inner === "string" ? storable(inner) : inner));
