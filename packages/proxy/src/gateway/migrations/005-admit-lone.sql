-- Decides one request: what central_llm.admit (002) says of a batch of one, in less time, when the request is a usual one that is
-- admitted. All else (refusals, keys with rarer settings, counters that are not there yet) is left to central_llm.admit itself:
-- this function must be right only about whom it admits.
--
-- It counts first and reads afterwards: an update is the lock as well, and what key, team and user may do and have spent is
-- read once, behind their locks, since whoever settles holds these until spend and reservation are both changed. Who turns
-- out not to be usual is counted back. A window so begins with the clock before the wait for the lock: nobody is counted
-- in two windows or in none.
--
-- Answers `admit`'s object of the request, or, for whom it admits itself, a list that lone-answer.ts reads by places: names in it,
-- and words about limits that the gateway can form as well, cost a tenth of the round trip. Straight code and scalars on
-- purpose too: PL/pgSQL prepares each expression anew in every transaction, and that is most of what this costs.
--
-- Migration 004 had a function admit_one in this one's place. Databases that have it keep it: gateways of then may still run.
CREATE FUNCTION central_llm.admit_lone(
  instance_id uuid, lease interval, window_length interval, call_id uuid, key_hash text, asked_model text, asked_alias text,
  want_tokens bigint, want_cost bigint, lifetime interval
) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  now_at timestamptz := clock_timestamp();
  utc timestamp := now_at AT TIME ZONE 'UTC';
  ended timestamptz := now_at - window_length;
  asked text[]; model_alias text;
  -- Key, team and user: what they are and may do, then their counters, this request included.
  k_key_name text; k_key_alias text; k_user_id text; k_team_id text; k_organization_id text; k_models text[]; k_metadata jsonb; k_allowed_routes text[];
  k_rpm bigint; k_tpm bigint; k_parallel integer; k_budget double precision; k_spend double precision; k_unusual boolean;
  k_held boolean; k_start timestamptz; k_requests bigint; k_tokens bigint; k_flying integer; k_reserved bigint;
  t_team_id text; t_team_alias text; t_models text[]; t_metadata jsonb;
  t_rpm bigint; t_tpm bigint; t_parallel integer; t_budget double precision; t_spend double precision; t_unusual boolean;
  t_held boolean; t_start timestamptz; t_requests bigint; t_tokens bigint; t_flying integer; t_reserved bigint;
  u_user_id text; u_user_email text; u_models text[];
  u_rpm bigint; u_tpm bigint; u_parallel integer; u_budget double precision; u_spend double precision; u_unusual boolean;
  u_held boolean; u_start timestamptz; u_requests bigint; u_tokens bigint; u_flying integer; u_reserved bigint;
BEGIN
  IF lease IS NOT NULL THEN
    INSERT INTO central_llm.instance VALUES (instance_id, now_at + lease)
    ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at;
  END IF;

  << usual >> BEGIN
    -- In the order of the primary key, as everybody locks them.
    UPDATE central_llm.limit_state x SET
      window_start = CASE WHEN x.window_start > ended THEN x.window_start ELSE now_at END,
      requests = CASE WHEN x.window_start > ended THEN x.requests + 1 ELSE 1 END,
      tokens = CASE WHEN x.window_start > ended THEN x.tokens + want_tokens ELSE want_tokens END,
      in_flight = x.in_flight + 1, reserved = x.reserved + want_cost
    WHERE x.scope = 'api_key' AND x.id = key_hash
    RETURNING x.window_start, x.requests, x.tokens, x.in_flight, x.reserved INTO k_start, k_requests, k_tokens, k_flying, k_reserved;
    k_held := FOUND;
    -- Limited but without counters: `admit` makes them. With counters but limited no more: nothing is to be held of it.
    -- The last term of a budget forgives what binary fractions add up to, far below any price.
    SELECT x.key_name, x.key_alias, x.user_id, x.team_id, x.organization_id, x.models, x.metadata, x.allowed_routes, x.aliases ->> asked_model,
      x.rpm_limit, x.tpm_limit, x.max_parallel_requests, x.max_budget, x.spend,
      x.budget_id IS NOT NULL OR x.metadata ?| '{model_rpm_limit,model_tpm_limit}' OR x.blocked OR x.expires <= utc
        OR (x.rpm_limit IS NOT NULL OR x.tpm_limit IS NOT NULL OR x.max_parallel_requests IS NOT NULL OR x.max_budget IS NOT NULL)
          IS DISTINCT FROM k_held
        OR k_requests > x.rpm_limit OR k_tokens > x.tpm_limit OR k_flying > x.max_parallel_requests
        OR x.spend >= x.max_budget OR x.spend + k_reserved / 1e9::double precision > x.max_budget + 1e-10
        OR x.max_budget IS NOT NULL AND x.budget_duration IS NOT NULL AND (x.budget_reset_at > utc) IS NOT TRUE
    INTO k_key_name, k_key_alias, k_user_id, k_team_id, k_organization_id, k_models, k_metadata, k_allowed_routes, model_alias,
      k_rpm, k_tpm, k_parallel, k_budget, k_spend, k_unusual
    FROM "LiteLLM_VerificationToken" x WHERE x.token = key_hash;
    -- Before a team's lock is asked for: a limit by model has its lock in front of it.
    EXIT usual WHEN NOT FOUND OR k_unusual;

    UPDATE central_llm.limit_state x SET
      window_start = CASE WHEN x.window_start > ended THEN x.window_start ELSE now_at END,
      requests = CASE WHEN x.window_start > ended THEN x.requests + 1 ELSE 1 END,
      tokens = CASE WHEN x.window_start > ended THEN x.tokens + want_tokens ELSE want_tokens END,
      in_flight = x.in_flight + 1, reserved = x.reserved + want_cost
    WHERE x.scope = 'team' AND x.id = k_team_id
    RETURNING x.window_start, x.requests, x.tokens, x.in_flight, x.reserved INTO t_start, t_requests, t_tokens, t_flying, t_reserved;
    t_held := FOUND;
    SELECT x.team_id, x.team_alias, x.models, x.metadata, x.rpm_limit, x.tpm_limit, x.max_parallel_requests, x.max_budget, x.spend,
      x.blocked
        OR (x.rpm_limit IS NOT NULL OR x.tpm_limit IS NOT NULL OR x.max_parallel_requests IS NOT NULL OR x.max_budget IS NOT NULL)
          IS DISTINCT FROM t_held
        OR t_requests > x.rpm_limit OR t_tokens > x.tpm_limit OR t_flying > x.max_parallel_requests
        OR x.spend >= x.max_budget OR x.spend + t_reserved / 1e9::double precision > x.max_budget + 1e-10
        OR x.max_budget IS NOT NULL AND x.budget_duration IS NOT NULL AND (x.budget_reset_at > utc) IS NOT TRUE
    INTO t_team_id, t_team_alias, t_models, t_metadata, t_rpm, t_tpm, t_parallel, t_budget, t_spend, t_unusual
    FROM "LiteLLM_TeamTable" x WHERE x.team_id = k_team_id;
    EXIT usual WHEN t_unusual OR t_held AND t_team_id IS NULL;

    UPDATE central_llm.limit_state x SET
      window_start = CASE WHEN x.window_start > ended THEN x.window_start ELSE now_at END,
      requests = CASE WHEN x.window_start > ended THEN x.requests + 1 ELSE 1 END,
      tokens = CASE WHEN x.window_start > ended THEN x.tokens + want_tokens ELSE want_tokens END,
      in_flight = x.in_flight + 1, reserved = x.reserved + want_cost
    WHERE x.scope = 'user' AND x.id = k_user_id
    RETURNING x.window_start, x.requests, x.tokens, x.in_flight, x.reserved INTO u_start, u_requests, u_tokens, u_flying, u_reserved;
    u_held := FOUND;
    SELECT x.user_id, x.user_email, x.models, x.rpm_limit, x.tpm_limit, x.max_parallel_requests, x.max_budget, x.spend,
      (x.rpm_limit IS NOT NULL OR x.tpm_limit IS NOT NULL OR x.max_parallel_requests IS NOT NULL OR x.max_budget IS NOT NULL)
          IS DISTINCT FROM u_held
        OR u_requests > x.rpm_limit OR u_tokens > x.tpm_limit OR u_flying > x.max_parallel_requests
        OR x.spend >= x.max_budget OR x.spend + u_reserved / 1e9::double precision > x.max_budget + 1e-10
        OR x.max_budget IS NOT NULL AND x.budget_duration IS NOT NULL AND (x.budget_reset_at > utc) IS NOT TRUE
    INTO u_user_id, u_user_email, u_models, u_rpm, u_tpm, u_parallel, u_budget, u_spend, u_unusual
    FROM "LiteLLM_UserTable" x WHERE x.user_id = k_user_id;
    EXIT usual WHEN u_unusual OR u_held AND u_user_id IS NULL;

    IF k_models <> '{}' OR t_models <> '{}' OR t_team_id IS NULL AND u_models <> '{}' THEN
      asked := array_remove(ARRAY[asked_model, asked_alias, model_alias], NULL);
      EXIT usual WHEN NOT (
        central_llm.permits(CASE WHEN 'all-team-models' = ANY (k_models) THEN t_models ELSE k_models END, asked)
        AND central_llm.permits(t_models, asked) AND (t_team_id IS NOT NULL OR central_llm.permits(u_models, asked))
      );
    END IF;
    IF k_held OR t_held OR u_held THEN
      -- After every window that it is counted in began: see 003-settle.sql.
      INSERT INTO central_llm.reservation (id, instance, admitted_at, expires_at, scopes, ids, tokens, cost)
      VALUES (call_id, instance_id, clock_timestamp(), now_at + lifetime,
        array_remove(ARRAY[CASE WHEN k_held THEN 'api_key' END, CASE WHEN t_held THEN 'team' END, CASE WHEN u_held THEN 'user' END], NULL),
        array_remove(ARRAY[CASE WHEN k_held THEN key_hash END, CASE WHEN t_held THEN t_team_id END, CASE WHEN u_held THEN u_user_id END], NULL),
        want_tokens, want_cost);
    END IF;
    RETURN json_build_array(
      key_hash, k_key_name, k_key_alias, k_user_id, u_user_email, k_team_id, t_team_alias, k_organization_id, model_alias, k_allowed_routes,
      k_metadata, t_metadata,
      k_held, k_start, k_requests, k_rpm, k_tokens, k_tpm, k_flying, k_parallel, k_spend, k_reserved, k_budget,
      t_held, t_start, t_requests, t_rpm, t_tokens, t_tpm, t_flying, t_parallel, t_spend, t_reserved, t_budget,
      u_held, u_start, u_requests, u_rpm, u_tokens, u_tpm, u_flying, u_parallel, u_spend, u_reserved, u_budget
    );
  END;

  -- Who is the first of a window began it: without that one, none has begun.
  UPDATE central_llm.limit_state x SET window_start = CASE WHEN x.requests = 1 THEN '-infinity' ELSE x.window_start END,
    requests = x.requests - 1, tokens = x.tokens - want_tokens, in_flight = x.in_flight - 1, reserved = x.reserved - want_cost
  FROM (VALUES ('api_key', key_hash, k_held), ('team', k_team_id, t_held), ('user', k_user_id, u_held)) counted(scope, id, held)
  WHERE counted.held AND x.scope = counted.scope AND x.id = counted.id;
  RETURN central_llm.admit(instance_id, lease, window_length, jsonb_build_array(jsonb_build_object('id', call_id, 'token', key_hash,
    'model', asked_model, 'alias', asked_alias, 'tokens', want_tokens, 'cost', want_cost,
    'lifetime_ms', (extract(epoch FROM lifetime) * 1000)::bigint))) -> 0;
END $$;
