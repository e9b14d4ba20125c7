/** `/config.json` and `/api/me`: how to sign in, and who is signed in. */
import { z } from "zod";
import { PERMISSIONS, ROLES } from "./permission.ts";

/** Read by the page before it signs in, so that one build serves everywhere. */
export const Config = z.object({
  /** OpenID Connect issuer; its `/.well-known/openid-configuration` names the endpoints. */
  issuer: z.url(),
  /** Public client, PKCE S256. */
  clientId: z.string(),
  scope: z.string(),
  /** Paths of the page on its own origin, registered with the issuer. */
  redirectPath: z.literal("/callback"),
  logoutPath: z.literal("/"),
  /** Set where the issuer's metadata has no `end_session_endpoint` (Cognito): `?client_id=…&logout_uri=…` is appended. */
  logoutUrl: z.url().nullable(),
});
export type Config = z.infer<typeof Config>;

export const Me = z.object({
  subject: z.string(),
  name: z.string(),
  roles: z.array(z.enum(ROLES)).min(1),
  permissions: z.array(z.enum(PERMISSIONS)),
  /** Null: every project. */
  projects: z.array(z.string()).nullable(),
  /** Epoch seconds at which the access token ends. */
  tokenExpiresAt: z.int().nullable(),
});
export type Me = z.infer<typeof Me>;
