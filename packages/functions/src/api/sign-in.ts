/** `GET /config.json`, `GET /api/me`. */
import type { CallOf } from "./call.ts";
import { permissionsOf } from "./permission.ts";

export const config = ({ context: { config } }: CallOf<"config">) => ({
  issuer: config.OIDC_ISSUER,
  clientId: config.OIDC_CLIENT_ID,
  scope: config.OIDC_SCOPE,
  redirectPath: "/callback" as const,
  logoutPath: "/" as const,
  logoutUrl: config.OIDC_LOGOUT_URL ?? null,
});

export const me = ({ person, tokenExpiresAt }: CallOf<"me">) => ({
  subject: person.subject,
  name: person.name,
  roles: [...person.roles],
  permissions: permissionsOf(person),
  projects: person.projects && [...person.projects],
  tokenExpiresAt,
});
