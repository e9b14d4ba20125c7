/** The people who may sign in to the local console: one for each role, and a viewer who is bound to one project. */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";

const Account = z.object({
  name: z.string(),
  password: z.string(),
  groups: z.array(z.string()),
});
export type Account = z.infer<typeof Account>;

const PEOPLE: Omit<Account, "password">[] = [
  { name: "viewer", groups: ["viewer"] },
  { name: "project-viewer", groups: ["viewer", "project:smoke-test"] },
  { name: "auditor", groups: ["auditor"] },
  { name: "operator", groups: ["operator"] },
  { name: "admin", groups: ["admin"] },
];

export const accountsFile = (folder: { console: string }) => join(folder.console, "accounts.json");

/** Passwords are made at the first start and kept in the file, which its owner alone may read. */
export function loadAccounts(file: string): Account[] {
  const known = existsSync(file) ? z.array(Account).parse(JSON.parse(readFileSync(file, "utf8"))) : [];
  const accounts = PEOPLE.map(
    (person) =>
      known.find(({ name }) => name === person.name) ?? {
        ...person,
        password: randomBytes(9).toString("base64url"),
      },
  );
  if (accounts.length !== known.length) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${JSON.stringify(accounts, null, 2)}\n`, { mode: 0o600 });
  }
  return accounts;
}
