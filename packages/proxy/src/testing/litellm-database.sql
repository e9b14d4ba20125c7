-- The part of LiteLLM's database that keys, limits and spend touch, as `prisma migrate deploy` leaves it (public
-- schema.prisma, 1.9x): its types, defaults, constraints and foreign keys; `future_column` stands for what a later version
-- adds. An installation that the gateway must work on without changing it.
CREATE TABLE "LiteLLM_BudgetTable" (
  "budget_id" TEXT NOT NULL, "max_budget" DOUBLE PRECISION, "soft_budget" DOUBLE PRECISION, "max_parallel_requests" INTEGER,
  "tpm_limit" BIGINT, "rpm_limit" BIGINT, "model_max_budget" JSONB, "budget_duration" TEXT, "budget_reset_at" TIMESTAMP(3),
  "allowed_models" TEXT[] DEFAULT ARRAY[]::TEXT[], "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, "created_by" TEXT NOT NULL,
  "updated_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, "updated_by" TEXT NOT NULL,
  CONSTRAINT "LiteLLM_BudgetTable_pkey" PRIMARY KEY ("budget_id")
);
CREATE TABLE "LiteLLM_OrganizationTable" (
  "organization_id" TEXT NOT NULL, "organization_alias" TEXT NOT NULL, "budget_id" TEXT NOT NULL, "metadata" JSONB NOT NULL DEFAULT '{}',
  "models" TEXT[], "spend" DOUBLE PRECISION NOT NULL DEFAULT 0.0, "created_by" TEXT NOT NULL, "updated_by" TEXT NOT NULL,
  CONSTRAINT "LiteLLM_OrganizationTable_pkey" PRIMARY KEY ("organization_id")
);
CREATE TABLE "LiteLLM_ObjectPermissionTable" (
  "object_permission_id" TEXT NOT NULL, CONSTRAINT "LiteLLM_ObjectPermissionTable_pkey" PRIMARY KEY ("object_permission_id")
);
CREATE TABLE "LiteLLM_TeamTable" (
  "team_id" TEXT NOT NULL, "team_alias" TEXT, "organization_id" TEXT, "object_permission_id" TEXT, "admins" TEXT[], "members" TEXT[],
  "members_with_roles" JSONB NOT NULL DEFAULT '{}', "metadata" JSONB NOT NULL DEFAULT '{}', "max_budget" DOUBLE PRECISION,
  "soft_budget" DOUBLE PRECISION, "spend" DOUBLE PRECISION NOT NULL DEFAULT 0.0, "models" TEXT[], "max_parallel_requests" INTEGER,
  "tpm_limit" BIGINT, "rpm_limit" BIGINT, "budget_duration" TEXT, "budget_reset_at" TIMESTAMP(3), "blocked" BOOLEAN NOT NULL DEFAULT false,
  "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, "updated_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "model_spend" JSONB NOT NULL DEFAULT '{}', "model_max_budget" JSONB NOT NULL DEFAULT '{}', "router_settings" JSONB DEFAULT '{}',
  "team_member_permissions" TEXT[] DEFAULT ARRAY[]::TEXT[], "access_group_ids" TEXT[] DEFAULT ARRAY[]::TEXT[], "policies" TEXT[] DEFAULT ARRAY[]::TEXT[],
  "default_team_member_models" TEXT[] DEFAULT ARRAY[]::TEXT[], "budget_limits" JSONB, "model_id" INTEGER,
  "allow_team_guardrail_config" BOOLEAN NOT NULL DEFAULT false, "future_column" TEXT,
  CONSTRAINT "LiteLLM_TeamTable_pkey" PRIMARY KEY ("team_id"),
  CONSTRAINT "LiteLLM_TeamTable_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "LiteLLM_OrganizationTable" ON DELETE SET NULL ON UPDATE CASCADE
);
CREATE UNIQUE INDEX "LiteLLM_TeamTable_model_id_key" ON "LiteLLM_TeamTable"("model_id");
CREATE TABLE "LiteLLM_UserTable" (
  "user_id" TEXT NOT NULL, "user_alias" TEXT, "team_id" TEXT, "sso_user_id" TEXT, "organization_id" TEXT, "object_permission_id" TEXT,
  "password" TEXT, "teams" TEXT[] DEFAULT ARRAY[]::TEXT[], "user_role" TEXT, "max_budget" DOUBLE PRECISION,
  "spend" DOUBLE PRECISION NOT NULL DEFAULT 0.0, "user_email" TEXT, "models" TEXT[], "metadata" JSONB NOT NULL DEFAULT '{}',
  "max_parallel_requests" INTEGER, "tpm_limit" BIGINT, "rpm_limit" BIGINT, "budget_duration" TEXT, "budget_reset_at" TIMESTAMP(3),
  "allowed_cache_controls" TEXT[] DEFAULT ARRAY[]::TEXT[], "policies" TEXT[] DEFAULT ARRAY[]::TEXT[], "model_spend" JSONB NOT NULL DEFAULT '{}',
  "model_max_budget" JSONB NOT NULL DEFAULT '{}', "created_at" TIMESTAMP(3) DEFAULT CURRENT_TIMESTAMP, "updated_at" TIMESTAMP(3) DEFAULT CURRENT_TIMESTAMP,
  "future_column" TEXT,
  CONSTRAINT "LiteLLM_UserTable_pkey" PRIMARY KEY ("user_id")
);
CREATE UNIQUE INDEX "LiteLLM_UserTable_sso_user_id_key" ON "LiteLLM_UserTable"("sso_user_id");
CREATE TABLE "LiteLLM_VerificationToken" (
  "token" TEXT NOT NULL, "key_name" TEXT, "key_alias" TEXT, "soft_budget_cooldown" BOOLEAN NOT NULL DEFAULT false,
  "spend" DOUBLE PRECISION NOT NULL DEFAULT 0.0, "expires" TIMESTAMP(3), "models" TEXT[], "aliases" JSONB NOT NULL DEFAULT '{}',
  "config" JSONB NOT NULL DEFAULT '{}', "router_settings" JSONB DEFAULT '{}', "user_id" TEXT, "team_id" TEXT, "agent_id" TEXT, "project_id" TEXT,
  "permissions" JSONB NOT NULL DEFAULT '{}', "max_parallel_requests" INTEGER, "metadata" JSONB NOT NULL DEFAULT '{}', "blocked" BOOLEAN,
  "tpm_limit" BIGINT, "rpm_limit" BIGINT, "max_budget" DOUBLE PRECISION, "budget_duration" TEXT, "budget_reset_at" TIMESTAMP(3),
  "allowed_cache_controls" TEXT[] DEFAULT ARRAY[]::TEXT[], "allowed_routes" TEXT[] DEFAULT ARRAY[]::TEXT[], "policies" TEXT[] DEFAULT ARRAY[]::TEXT[],
  "access_group_ids" TEXT[] DEFAULT ARRAY[]::TEXT[], "model_spend" JSONB NOT NULL DEFAULT '{}', "model_max_budget" JSONB NOT NULL DEFAULT '{}',
  "budget_id" TEXT, "organization_id" TEXT, "object_permission_id" TEXT, "created_at" TIMESTAMP(3) DEFAULT CURRENT_TIMESTAMP, "created_by" TEXT,
  "updated_at" TIMESTAMP(3) DEFAULT CURRENT_TIMESTAMP, "updated_by" TEXT, "last_active" TIMESTAMP(3), "rotation_count" INTEGER DEFAULT 0,
  "auto_rotate" BOOLEAN DEFAULT false, "rotation_interval" TEXT, "last_rotation_at" TIMESTAMP(3), "key_rotation_at" TIMESTAMP(3),
  "budget_limits" JSONB, "future_column" TEXT,
  CONSTRAINT "LiteLLM_VerificationToken_pkey" PRIMARY KEY ("token"),
  CONSTRAINT "LiteLLM_VerificationToken_budget_id_fkey" FOREIGN KEY ("budget_id") REFERENCES "LiteLLM_BudgetTable" ON DELETE SET NULL ON UPDATE CASCADE,
  CONSTRAINT "LiteLLM_VerificationToken_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "LiteLLM_OrganizationTable" ON DELETE SET NULL ON UPDATE CASCADE,
  CONSTRAINT "LiteLLM_VerificationToken_object_permission_id_fkey" FOREIGN KEY ("object_permission_id") REFERENCES "LiteLLM_ObjectPermissionTable" ON DELETE SET NULL ON UPDATE CASCADE
);
CREATE INDEX "LiteLLM_VerificationToken_user_id_team_id_idx" ON "LiteLLM_VerificationToken"("user_id", "team_id");
CREATE TABLE "LiteLLM_JWTKeyMapping" (
  "id" TEXT NOT NULL, "token" TEXT NOT NULL, CONSTRAINT "LiteLLM_JWTKeyMapping_pkey" PRIMARY KEY ("id"),
  CONSTRAINT "LiteLLM_JWTKeyMapping_token_fkey" FOREIGN KEY ("token") REFERENCES "LiteLLM_VerificationToken" ON DELETE RESTRICT ON UPDATE CASCADE
);
CREATE TABLE "LiteLLM_DeletedVerificationToken" (
  "id" TEXT NOT NULL, "token" TEXT NOT NULL, "key_name" TEXT, "key_alias" TEXT, "soft_budget_cooldown" BOOLEAN NOT NULL DEFAULT false,
  "spend" DOUBLE PRECISION NOT NULL DEFAULT 0.0, "expires" TIMESTAMP(3), "models" TEXT[], "aliases" JSONB NOT NULL DEFAULT '{}',
  "config" JSONB NOT NULL DEFAULT '{}', "user_id" TEXT, "team_id" TEXT, "permissions" JSONB NOT NULL DEFAULT '{}', "max_parallel_requests" INTEGER,
  "metadata" JSONB NOT NULL DEFAULT '{}', "blocked" BOOLEAN, "tpm_limit" BIGINT, "rpm_limit" BIGINT, "max_budget" DOUBLE PRECISION,
  "budget_duration" TEXT, "budget_reset_at" TIMESTAMP(3), "model_spend" JSONB NOT NULL DEFAULT '{}', "model_max_budget" JSONB NOT NULL DEFAULT '{}',
  "budget_id" TEXT, "organization_id" TEXT, "created_at" TIMESTAMP(3), "created_by" TEXT, "updated_at" TIMESTAMP(3), "updated_by" TEXT,
  "deleted_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, "deleted_by" TEXT, "deleted_by_api_key" TEXT, "litellm_changed_by" TEXT,
  CONSTRAINT "LiteLLM_DeletedVerificationToken_pkey" PRIMARY KEY ("id")
);
CREATE TABLE "LiteLLM_SpendLogs" (
  "request_id" TEXT NOT NULL, "call_type" TEXT NOT NULL, "api_key" TEXT NOT NULL DEFAULT '', "spend" DOUBLE PRECISION NOT NULL DEFAULT 0.0,
  "total_tokens" INTEGER NOT NULL DEFAULT 0, "prompt_tokens" INTEGER NOT NULL DEFAULT 0, "completion_tokens" INTEGER NOT NULL DEFAULT 0,
  "startTime" TIMESTAMP(3) NOT NULL, "endTime" TIMESTAMP(3) NOT NULL, "request_duration_ms" INTEGER, "completionStartTime" TIMESTAMP(3),
  "model" TEXT NOT NULL DEFAULT '', "model_id" TEXT DEFAULT '', "model_group" TEXT DEFAULT '', "custom_llm_provider" TEXT DEFAULT '',
  "api_base" TEXT DEFAULT '', "user" TEXT DEFAULT '', "metadata" JSONB DEFAULT '{}', "cache_hit" TEXT DEFAULT '', "cache_key" TEXT DEFAULT '',
  "request_tags" JSONB DEFAULT '[]', "team_id" TEXT, "organization_id" TEXT, "end_user" TEXT, "requester_ip_address" TEXT, "messages" JSONB DEFAULT '{}',
  "response" JSONB DEFAULT '{}', "session_id" TEXT, "status" TEXT, "mcp_namespaced_tool_name" TEXT, "agent_id" TEXT,
  "proxy_server_request" JSONB DEFAULT '{}', "future_column" TEXT,
  CONSTRAINT "LiteLLM_SpendLogs_pkey" PRIMARY KEY ("request_id")
);
CREATE TABLE "LiteLLM_TeamMembership" (
  "user_id" TEXT NOT NULL, "team_id" TEXT NOT NULL, "spend" DOUBLE PRECISION NOT NULL DEFAULT 0.0, "budget_id" TEXT,
  CONSTRAINT "LiteLLM_TeamMembership_pkey" PRIMARY KEY ("user_id", "team_id")
);
-- What an installation holds: a key that LiteLLM made (of `sk-litellm-made-key`), with a budget of its own table.
INSERT INTO "LiteLLM_BudgetTable" ("budget_id", "max_budget", "rpm_limit", "created_by", "updated_by") VALUES ('b', 10, 2, 'x', 'x');
INSERT INTO "LiteLLM_UserTable" ("user_id", "models", "password") VALUES ('default_user_id', ARRAY[]::TEXT[], 'secret-hash');
INSERT INTO "LiteLLM_TeamMembership" ("user_id", "team_id") VALUES ('default_user_id', 't');
INSERT INTO "LiteLLM_VerificationToken" ("token", "models", "user_id", "budget_id", "future_column")
VALUES (encode(sha256('sk-litellm-made-key'), 'hex'), ARRAY['claude-3-opus'], 'default_user_id', 'b', 'kept');
INSERT INTO "LiteLLM_JWTKeyMapping" VALUES ('j', encode(sha256('sk-litellm-made-key'), 'hex'));
