/**
 * Who may do what: the one table. A person has one role or more (their permissions add up) and may be bound to projects.
 * Checked on the server at every route and for every field; what the page hides or shows is comfort only.
 */

export const ROLES = ["viewer", "auditor", "operator", "admin"] as const;
export type Role = (typeof ROLES)[number];

const TABLE = {
  /** Lists, records' metadata, charts, facets. */
  "audit.read": ["viewer", "auditor", "operator", "admin"],
  /** The beginnings of prompts and answers in lists, and searching in them. */
  "preview.read": ["auditor"],
  /** Whole requests and answers, after a reason was stated. */
  "body.read": ["auditor"],
  /** Client addresses, and the wording of upstream errors, which may quote content. */
  "client.read": ["auditor"],
  "export.use": ["auditor"],
  "dead-letter.read": ["operator"],
  "dead-letter.replay": ["operator"],
  "reconcile.run": ["operator"],
  "completeness.read": ["viewer", "auditor", "operator", "admin"],
  "overview.read": ["viewer", "auditor", "operator", "admin"],
  "budget.read": ["viewer", "auditor", "operator", "admin"],
  "key.read": ["auditor", "operator", "admin"],
  "key.write": ["admin"],
  "access-log.read": ["auditor", "admin"],
} as const satisfies Record<string, readonly Role[]>;

export type Permission = keyof typeof TABLE;
export const PERMISSIONS = Object.keys(TABLE) as Permission[];

/** What concerns the whole platform is not for those who are bound to projects. */
const PLATFORM_WIDE: ReadonlySet<Permission> = new Set([
  "dead-letter.read",
  "dead-letter.replay",
  "reconcile.run",
  "budget.read",
  "key.read",
  "key.write",
  "access-log.read",
]);

export interface Person {
  /** The issuer's `sub`. */
  subject: string;
  /** What the audit trail and the page call them: user name, e-mail or subject. */
  name: string;
  roles: readonly Role[];
  /** Null: every project. */
  projects: readonly string[] | null;
}

export function may(person: Person, permission: Permission): boolean {
  if (person.projects !== null && PLATFORM_WIDE.has(permission)) return false;
  const roles: readonly Role[] = TABLE[permission];
  return person.roles.some((role) => roles.includes(role));
}

export const maySeeProject = ({ projects }: Person, projectId: string) =>
  projects === null || projects.includes(projectId);

export const permissionsOf = (person: Person) => PERMISSIONS.filter((permission) => may(person, permission));
