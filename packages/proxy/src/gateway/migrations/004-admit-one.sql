-- Decides one request: what central_llm.admit (002) says of a batch of one, in less time, when the request is a usual one that is
-- admitted. All else (refusals, keys with rarer settings, rows that are not there yet) is left to central_llm.admit itself: this
-- function must be right only about whom it admits. Its parameters and its answer are those of one request there, and
-- `ample`: as much again could be admitted, so that nobody waits for what this request gives back. Of `limits`, those of what
-- has no rate are null.
--
-- Straight code on purpose: PL/pgSQL prepares each expression anew in every transaction, which costs a batch of one more than
-- all its look-ups.
CREATE FUNCTION central_llm.admit_one(
  instance_id uuid, lease interval, window_length interval, call_id uuid, key_hash text, asked_model text, asked_alias text,
  want_tokens bigint, want_cost bigint, lifetime_ms bigint
) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  now_at timestamptz := clock_timestamp();
  utc timestamp := now_at AT TIME ZONE 'UTC';
  asked text[];
  -- Key, team and user: their rows, then their counters and what they spent.
  k record; t record; u record;
  k_limited boolean; k_start timestamptz; k_requests bigint; k_tokens bigint; k_flying integer; k_held bigint;
  k_spent double precision; k_reset timestamp;
  t_limited boolean; t_start timestamptz; t_requests bigint; t_tokens bigint; t_flying integer; t_held bigint;
  t_spent double precision; t_reset timestamp;
  u_limited boolean; u_start timestamptz; u_requests bigint; u_tokens bigint; u_flying integer; u_held bigint;
  u_spent double precision; u_reset timestamp;
BEGIN
  IF lease IS NOT NULL THEN
    INSERT INTO central_llm.instance VALUES (instance_id, now_at + lease)
    ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at;
  END IF;
  SELECT x.token, x.key_name, x.key_alias, x.user_id, x.team_id, x.organization_id, x.spend, x.expires, x.blocked, x.models, x.aliases,
    x.metadata, x.allowed_routes, x.rpm_limit, x.tpm_limit, x.max_parallel_requests, x.max_budget, x.budget_duration, x.budget_id
  INTO k FROM "LiteLLM_VerificationToken" x WHERE x.token = key_hash;
  SELECT x.team_id, x.team_alias, x.models, x.blocked, x.metadata, x.rpm_limit, x.tpm_limit, x.max_parallel_requests, x.max_budget,
    x.budget_duration
  INTO t FROM "LiteLLM_TeamTable" x WHERE x.team_id = k.team_id;
  SELECT x.user_id, x.user_email, x.models, x.rpm_limit, x.tpm_limit, x.max_parallel_requests, x.max_budget, x.budget_duration
  INTO u FROM "LiteLLM_UserTable" x WHERE x.user_id = k.user_id;
  asked := array_remove(ARRAY[asked_model, asked_alias, k.aliases ->> asked_model], NULL);

  << usual >> BEGIN
    EXIT usual WHEN k.token IS NULL OR k.budget_id IS NOT NULL OR k.metadata ?| '{model_rpm_limit,model_tpm_limit}'
      OR k.blocked OR k.expires <= utc OR t.blocked OR NOT (
        central_llm.permits(CASE WHEN 'all-team-models' = ANY (k.models) THEN t.models ELSE k.models END, asked)
        AND central_llm.permits(t.models, asked) AND (t.team_id IS NOT NULL OR central_llm.permits(u.models, asked))
      );
    k_limited := num_nonnulls(k.rpm_limit, k.tpm_limit, k.max_parallel_requests, k.max_budget) > 0;
    t_limited := num_nonnulls(t.rpm_limit, t.tpm_limit, t.max_parallel_requests, t.max_budget) > 0;
    u_limited := num_nonnulls(u.rpm_limit, u.tpm_limit, u.max_parallel_requests, u.max_budget) > 0;
    -- In the order of the primary key, as everybody locks them.
    IF k_limited THEN
      SELECT x.window_start, x.requests, x.tokens, x.in_flight, x.reserved INTO k_start, k_requests, k_tokens, k_flying, k_held
      FROM central_llm.limit_state x WHERE x.scope = 'api_key' AND x.id = k.token FOR NO KEY UPDATE;
      EXIT usual WHEN NOT FOUND;
    END IF;
    IF t_limited THEN
      SELECT x.window_start, x.requests, x.tokens, x.in_flight, x.reserved INTO t_start, t_requests, t_tokens, t_flying, t_held
      FROM central_llm.limit_state x WHERE x.scope = 'team' AND x.id = t.team_id FOR NO KEY UPDATE;
      EXIT usual WHEN NOT FOUND;
    END IF;
    IF u_limited THEN
      SELECT x.window_start, x.requests, x.tokens, x.in_flight, x.reserved INTO u_start, u_requests, u_tokens, u_flying, u_held
      FROM central_llm.limit_state x WHERE x.scope = 'user' AND x.id = u.user_id FOR NO KEY UPDATE;
      EXIT usual WHEN NOT FOUND;
    END IF;
    -- Time passed while we waited for the locks.
    now_at := clock_timestamp();
    utc := now_at AT TIME ZONE 'UTC';
    IF k_start + window_length <= now_at THEN
      k_start := now_at; k_requests := 0; k_tokens := 0;
    END IF;
    IF t_start + window_length <= now_at THEN
      t_start := now_at; t_requests := 0; t_tokens := 0;
    END IF;
    IF u_start + window_length <= now_at THEN
      u_start := now_at; u_requests := 0; u_tokens := 0;
    END IF;
    EXIT usual WHEN k_requests + 1 > k.rpm_limit OR k_tokens + want_tokens > k.tpm_limit OR k_flying + 1 > k.max_parallel_requests
      OR t_requests + 1 > t.rpm_limit OR t_tokens + want_tokens > t.tpm_limit OR t_flying + 1 > t.max_parallel_requests
      OR u_requests + 1 > u.rpm_limit OR u_tokens + want_tokens > u.tpm_limit OR u_flying + 1 > u.max_parallel_requests;
    -- Read after the locks: whoever settles holds them until spend and reservation are both changed.
    IF k.max_budget IS NOT NULL THEN
      SELECT x.spend, x.budget_reset_at INTO k_spent, k_reset FROM "LiteLLM_VerificationToken" x WHERE x.token = k.token;
      -- The last term forgives what binary fractions add up to, far below any price.
      EXIT usual WHEN k_spent IS NULL OR k_spent >= k.max_budget OR k.budget_duration IS NOT NULL AND (k_reset > utc) IS NOT TRUE
        OR k_spent + (k_held + want_cost) / 1e9::double precision > k.max_budget + 1e-10;
    END IF;
    IF t.max_budget IS NOT NULL THEN
      SELECT x.spend, x.budget_reset_at INTO t_spent, t_reset FROM "LiteLLM_TeamTable" x WHERE x.team_id = t.team_id;
      -- The last term forgives what binary fractions add up to, far below any price.
      EXIT usual WHEN t_spent IS NULL OR t_spent >= t.max_budget OR t.budget_duration IS NOT NULL AND (t_reset > utc) IS NOT TRUE
        OR t_spent + (t_held + want_cost) / 1e9::double precision > t.max_budget + 1e-10;
    END IF;
    IF u.max_budget IS NOT NULL THEN
      SELECT x.spend, x.budget_reset_at INTO u_spent, u_reset FROM "LiteLLM_UserTable" x WHERE x.user_id = u.user_id;
      -- The last term forgives what binary fractions add up to, far below any price.
      EXIT usual WHEN u_spent IS NULL OR u_spent >= u.max_budget OR u.budget_duration IS NOT NULL AND (u_reset > utc) IS NOT TRUE
        OR u_spent + (u_held + want_cost) / 1e9::double precision > u.max_budget + 1e-10;
    END IF;
    IF k_limited THEN
      UPDATE central_llm.limit_state x
      SET window_start = k_start, requests = k_requests + 1, tokens = k_tokens + want_tokens, in_flight = k_flying + 1,
        reserved = k_held + want_cost
      WHERE x.scope = 'api_key' AND x.id = k.token;
    END IF;
    IF t_limited THEN
      UPDATE central_llm.limit_state x
      SET window_start = t_start, requests = t_requests + 1, tokens = t_tokens + want_tokens, in_flight = t_flying + 1,
        reserved = t_held + want_cost
      WHERE x.scope = 'team' AND x.id = t.team_id;
    END IF;
    IF u_limited THEN
      UPDATE central_llm.limit_state x
      SET window_start = u_start, requests = u_requests + 1, tokens = u_tokens + want_tokens, in_flight = u_flying + 1,
        reserved = u_held + want_cost
      WHERE x.scope = 'user' AND x.id = u.user_id;
    END IF;
    IF k_limited OR t_limited OR u_limited THEN
      INSERT INTO central_llm.reservation (id, instance, admitted_at, expires_at, scopes, ids, tokens, cost)
      VALUES (call_id, instance_id, now_at, now_at + lifetime_ms * interval '1 millisecond',
        array_remove(ARRAY[CASE WHEN k_limited THEN 'api_key' END, CASE WHEN t_limited THEN 'team' END, CASE WHEN u_limited THEN 'user' END], NULL),
        array_remove(ARRAY[CASE WHEN k_limited THEN k.token END, CASE WHEN t_limited THEN t.team_id END, CASE WHEN u_limited THEN u.user_id END], NULL),
        want_tokens, want_cost);
    END IF;
    RETURN json_build_object(
      'call', json_build_object(
        'token', k.token, 'keyName', k.key_name, 'keyAlias', k.key_alias, 'userId', k.user_id, 'teamId', k.team_id,
        'teamAlias', t.team_alias, 'userEmail', u.user_email, 'organizationId', k.organization_id, 'spend', k.spend,
        'maxBudget', k.max_budget, 'tpmLimit', k.tpm_limit, 'rpmLimit', k.rpm_limit, 'modelAlias', k.aliases ->> asked_model,
        'allowedRoutes', k.allowed_routes, 'metadata', k.metadata, 'teamMetadata', t.metadata
      ),
      'limits', json_build_array(
        CASE WHEN num_nonnulls(k.rpm_limit, k.tpm_limit) > 0 THEN json_build_object('scope', 'api_key', 'rpm', k.rpm_limit,
          'requests', k_requests + 1, 'tpm', k.tpm_limit, 'tokens', k_tokens + want_tokens, 'resetAt', k_start + window_length) END,
        CASE WHEN num_nonnulls(t.rpm_limit, t.tpm_limit) > 0 THEN json_build_object('scope', 'team', 'rpm', t.rpm_limit,
          'requests', t_requests + 1, 'tpm', t.tpm_limit, 'tokens', t_tokens + want_tokens, 'resetAt', t_start + window_length) END,
        CASE WHEN num_nonnulls(u.rpm_limit, u.tpm_limit) > 0 THEN json_build_object('scope', 'user', 'rpm', u.rpm_limit,
          'requests', u_requests + 1, 'tpm', u.tpm_limit, 'tokens', u_tokens + want_tokens, 'resetAt', u_start + window_length) END
      ),
      'held', k_limited OR t_limited OR u_limited,
      'ample', (
k_tokens + 2 * want_tokens > k.tpm_limit OR k_flying + 2 > k.max_parallel_requests
        OR k_spent + (k_held + 2 * want_cost) / 1e9::double precision > k.max_budget
        OR t_tokens + 2 * want_tokens > t.tpm_limit OR t_flying + 2 > t.max_parallel_requests
        OR t_spent + (t_held + 2 * want_cost) / 1e9::double precision > t.max_budget
        OR u_tokens + 2 * want_tokens > u.tpm_limit OR u_flying + 2 > u.max_parallel_requests
        OR u_spent + (u_held + 2 * want_cost) / 1e9::double precision > u.max_budget
      ) IS NOT TRUE
    );
  END;
  RETURN central_llm.admit(instance_id, lease, window_length, jsonb_build_array(jsonb_build_object('id', call_id, 'token', key_hash,
    'model', asked_model, 'alias', asked_alias, 'tokens', want_tokens, 'cost', want_cost, 'lifetime_ms', lifetime_ms))) -> 0;
END $$;
