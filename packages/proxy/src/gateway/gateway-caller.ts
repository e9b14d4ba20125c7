/** Who calls on the gateway, as the audit and the spend rows name them. */
import type { IncomingHttpHeaders } from "node:http";
import type { AuditRecord } from "@central-llm/core/audit-record";
import { present, UNKNOWN } from "@central-llm/core/placeholder";
import type { Reservation } from "./admission.ts";
import type { CallContext } from "./call-context.ts";

/** LiteLLM's own name for calls with the master key; the key's hash is kept nowhere. */
export const MASTER_ALIAS = "litellm_proxy_master_key";

export interface Attribution {
  projectId: string;
  userId: string;
  identity: AuditRecord["identity"];
}

type Known = Pick<CallContext, "token" | "keyAlias" | "userId" | "teamId"> & {
  teamAlias?: string | null;
  userEmail?: string | null;
};

/** As far as it is known: a request that is refused early is attributed to less. */
export type Caller =
  | { kind: "none" }
  /** A key that is not known, by its hash; null: too long to be a key. */
  | { kind: "stranger"; token: string | null }
  | { kind: "master" }
  | { kind: "key"; known: Known };

export const NOBODY: Caller = { kind: "none" };

const MAX_NAME = 256;
const first = (value: string | string[] | undefined) => (Array.isArray(value) ? value[0] : value);

/** Whom the client says it calls for: OpenAI's `user`, Anthropic's `metadata.user_id`, or the header of the central path. */
export function assertedUser(
  headers: IncomingHttpHeaders,
  body: Record<string, unknown> | null,
): string | null {
  const metadata = body?.metadata as { user_id?: unknown } | null | undefined;
  const said = present(body?.user) ?? present(metadata?.user_id) ?? present(first(headers["x-llm-user"]));
  return said?.slice(0, MAX_NAME) ?? null;
}

/**
 * Projects are teams: what a key says of its team cannot be forged. The header counts only for keys without a team.
 */
export function attribute(
  caller: Caller,
  asserted: string | null,
  headers: IncomingHttpHeaders,
): Attribution {
  const source = present(first(headers["x-llm-source"]))?.slice(0, MAX_NAME) ?? UNKNOWN;
  const anonymous = { keyId: null, keyAlias: null, teamId: null, assertedUser: asserted, matches: null };
  switch (caller.kind) {
    case "none":
      return { projectId: UNKNOWN, userId: UNKNOWN, identity: { method: "none", ...anonymous } };
    case "stranger":
      return {
        projectId: UNKNOWN,
        userId: UNKNOWN,
        identity: { ...anonymous, method: "virtual-key", keyId: caller.token },
      };
    case "master":
      return {
        projectId: source,
        userId: asserted ?? UNKNOWN,
        identity: { ...anonymous, method: "virtual-key", keyAlias: MASTER_ALIAS },
      };
    case "key": {
      const { token, keyAlias, userId, userEmail, teamId, teamAlias } = caller.known;
      const matches =
        asserted === null || userId === null
          ? null
          : asserted === userId || asserted === (userEmail ?? userId);
      return {
        projectId: present(teamAlias) ?? present(teamId) ?? source,
        userId: present(userId) ?? asserted ?? UNKNOWN,
        identity: { method: "virtual-key", keyId: token, keyAlias, teamId, assertedUser: asserted, matches },
      };
    }
  }
}

/** What the holder of the master key is to admission and spend: unlimited, and an owner of rows. */
export const MASTER_RESERVATION: Reservation = {
  id: null,
  token: MASTER_ALIAS,
  userId: null,
  teamId: null,
  ample: true,
};
