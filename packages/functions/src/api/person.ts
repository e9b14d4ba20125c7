/** The signed-in person, from the claims that API Gateway's JWT authorizer has checked. */
import { z } from "zod";
import { Failure } from "./failure.ts";
import { type Person, ROLES, type Role } from "./permission.ts";

const PROJECT_GROUP = "project:";

/** API Gateway hands claims on as text: a list is `[a b]`. */
const Groups = z
  .union([z.string(), z.array(z.string())])
  .transform((groups) => (Array.isArray(groups) ? groups : groups.replace(/^\[|\]$/g, "").split(/[\s,]+/)))
  .pipe(z.array(z.string()));

const Text = z.string().min(1).optional().catch(undefined);
const Claims = z.object({
  sub: z.string().min(1),
  username: Text,
  preferred_username: Text,
  email: Text,
  name: Text,
  exp: z.coerce.number().int().optional().catch(undefined),
  token_use: Text,
});

export interface SignedIn {
  person: Person;
  /** Epoch seconds. */
  tokenExpiresAt: number | null;
}

/**
 * @param claims of the access token, null without one
 * @param groupsClaim where the issuer puts groups
 * @throws {Failure} unauthenticated; forbidden when no group is a role
 */
export function signedIn(claims: Record<string, unknown> | null, groupsClaim: string): SignedIn {
  const parsed = Claims.safeParse(claims);
  if (!parsed.success) throw new Failure("unauthenticated", "Sign in first.");
  const { sub, username, preferred_username, email, name, exp, token_use } = parsed.data;
  if (token_use === "id") throw new Failure("unauthenticated", "This is no access token.");
  const groups = Groups.catch([]).parse(claims?.[groupsClaim]);
  const roles = ROLES.filter((role): role is Role => groups.includes(role));
  if (roles.length === 0) {
    throw new Failure("forbidden", "Your account has no role in this console.", { permission: null });
  }
  const projects = groups
    .filter((group) => group.startsWith(PROJECT_GROUP))
    .map((group) => group.slice(PROJECT_GROUP.length));
  return {
    person: {
      subject: sub,
      name: email ?? preferred_username ?? username ?? name ?? sub,
      roles,
      projects: projects.length > 0 ? projects : null,
    },
    tokenExpiresAt: exp ?? null,
  };
}
