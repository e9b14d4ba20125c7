/** Users and teams, whose limits hold over all of their keys; requests in LiteLLM's shapes. */
import { z } from "zod";
import { GenerateKey, limits, names } from "./virtual-key.ts";

const { text } = names;

const userFields = {
  ...limits,
  user_alias: text.nullish(),
  user_email: text.nullish(),
  user_role: z
    .enum(["proxy_admin", "proxy_admin_viewer", "internal_user", "internal_user_viewer", "team", "customer"])
    .nullish(),
  teams: z.array(text).nullish(),
};

export const NewUser = z.object({
  ...userFields,
  user_id: text.min(1).nullish(),
  auto_create_key: z.boolean().default(true),
  duration: GenerateKey.shape.duration,
  key_alias: GenerateKey.shape.key_alias,
  team_id: GenerateKey.shape.team_id,
  tier: GenerateKey.shape.tier,
});
export const UpdateUser = z.object({ ...userFields, user_id: text.min(1) });
export const DeleteUsers = z.object({ user_ids: z.array(text.min(1)).min(1).max(100) });

const Member = z.object({
  role: z.enum(["admin", "user"]).default("user"),
  user_id: text.nullish(),
  user_email: text.nullish(),
});

const teamFields = {
  ...limits,
  team_alias: text.nullish(),
  organization_id: text.nullish(),
  admins: z.array(text).nullish(),
  members: z.array(text).nullish(),
  members_with_roles: z.array(Member).nullish(),
  blocked: z.boolean().optional(),
};

export const NewTeam = z.object({ ...teamFields, team_id: text.min(1).nullish() });
export const UpdateTeam = z.object({ ...teamFields, team_id: text.min(1) });
export const DeleteTeams = z.object({ team_ids: z.array(text.min(1)).min(1).max(100) });
export const NamedTeam = z.object({ team_id: text.min(1) });
