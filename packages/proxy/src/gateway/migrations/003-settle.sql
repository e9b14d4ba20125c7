-- Gives back what requests hold and puts what they used in its place. `used`: the tokens of each, null to leave the
-- reserved ones counted (the process died: what it used is unknown). Unknown ids are no error: released before.
CREATE FUNCTION central_llm.release(reservations uuid[], used bigint[]) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  released integer;
BEGIN
  PERFORM FROM central_llm.limit_state l
  JOIN (
    SELECT DISTINCT s.scope, s.id FROM central_llm.reservation r
    CROSS JOIN LATERAL unnest(r.scopes, r.ids) AS s(scope, id) WHERE r.id = ANY (reservations)
  ) w ON l.scope = w.scope AND l.id = w.id
  ORDER BY l.scope, l.id FOR NO KEY UPDATE OF l;

  WITH gone AS (
    DELETE FROM central_llm.reservation r USING unnest(reservations, used) AS w(id, tokens)
    WHERE r.id = w.id
    RETURNING r.admitted_at, r.scopes, r.ids, r.cost, coalesce(w.tokens - r.tokens, 0) AS correction
  ), change AS (
    SELECT l.scope, l.id, count(*) AS requests, sum(g.cost) AS cost,
      -- A window that has ended took its count along.
      coalesce(sum(g.correction) FILTER (WHERE l.window_start <= g.admitted_at), 0) AS tokens
    FROM gone g CROSS JOIN LATERAL unnest(g.scopes, g.ids) AS s(scope, id)
    JOIN central_llm.limit_state l ON l.scope = s.scope AND l.id = s.id
    GROUP BY l.scope, l.id
  ), changed AS (
    UPDATE central_llm.limit_state l
    SET in_flight = greatest(0, l.in_flight - c.requests), reserved = greatest(0, l.reserved - c.cost),
      tokens = greatest(0, l.tokens + c.tokens)
    FROM change c WHERE l.scope = c.scope AND l.id = c.id
  )
  SELECT count(*) INTO released FROM gone;
  RETURN released;
END $$;

-- Books finished requests: gives back their reservations, writes their rows into "LiteLLM_SpendLogs" and adds their cost to
-- key, user and team, all or nothing. A request that is booked already (the answer to the first attempt was lost) is not
-- booked again. Of somebody whose data was deleted while the request ran, only what it cost is kept. Returns how many rows
-- are new.
CREATE FUNCTION central_llm.settle(entries jsonb) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  booked jsonb;
BEGIN
  PERFORM central_llm.release(array_agg(e.reservation), array_agg(e.used))
  FROM jsonb_to_recordset(entries) AS e(reservation uuid, used bigint) WHERE e.reservation IS NOT NULL;

  WITH row AS (
    INSERT INTO "LiteLLM_SpendLogs" (
      request_id, call_type, api_key, spend, total_tokens, prompt_tokens, completion_tokens, "startTime", "endTime",
      "completionStartTime", request_duration_ms, model, model_id, model_group, custom_llm_provider, api_base, "user", metadata,
      cache_hit, request_tags, team_id, end_user, requester_ip_address, session_id, status, messages, response
    )
    SELECT e.request_id, e.call_type, CASE WHEN x.erased THEN '' ELSE coalesce(o.active_token, e.api_key) END, e.spend, e.total_tokens, e.prompt_tokens, e.completion_tokens,
      e.started_at AT TIME ZONE 'UTC', e.ended_at AT TIME ZONE 'UTC', e.first_token_at AT TIME ZONE 'UTC', e.duration_ms, e.model,
      e.model_id, e.model_group, e.provider, e.api_base, CASE WHEN x.erased THEN '' ELSE coalesce(e.user_id, '') END,
      CASE WHEN x.erased THEN '{}' ELSE e.metadata END, 'False', CASE WHEN x.erased THEN '[]' ELSE e.tags END, e.team_id,
      CASE WHEN NOT x.erased THEN e.end_user END, CASE WHEN NOT x.erased THEN e.client_ip END,
      CASE WHEN NOT x.erased THEN e.session_id END, e.status, '{}', '{}'
    FROM jsonb_to_recordset(entries) AS e(
      request_id text, call_type text, api_key text, spend double precision, total_tokens integer, prompt_tokens integer,
      completion_tokens integer, started_at timestamptz, ended_at timestamptz, first_token_at timestamptz, duration_ms integer,
      model text, model_id text, model_group text, provider text, api_base text, user_id text, metadata jsonb, tags jsonb,
      team_id text, end_user text, client_ip text, session_id text, status text
    )
    LEFT JOIN central_llm.retired_key o ON o.token = e.api_key
    CROSS JOIN LATERAL (
      SELECT EXISTS (
        SELECT FROM central_llm.erasure_receipt r
        WHERE r.subject = encode(sha256(convert_to(e.user_id, 'UTF8')), 'hex') AND r.erased_at >= e.started_at
      ) AS erased
    ) x
    WHERE e.request_id IS NOT NULL
    ORDER BY e.request_id
    ON CONFLICT (request_id) DO NOTHING
    RETURNING api_key, nullif("user", '') AS user_id, team_id, spend
  )
  SELECT jsonb_agg(row) INTO booked FROM row;
  IF booked IS NULL THEN RETURN 0; END IF;

  PERFORM FROM "LiteLLM_VerificationToken" k
  WHERE k.token IN (SELECT b.api_key FROM jsonb_to_recordset(booked) AS b(api_key text)) ORDER BY k.token FOR NO KEY UPDATE;
  UPDATE "LiteLLM_VerificationToken" k SET spend = k.spend + b.spend, last_active = clock_timestamp() AT TIME ZONE 'UTC'
  FROM (SELECT x.api_key, sum(x.spend) AS spend FROM jsonb_to_recordset(booked) AS x(api_key text, spend double precision) GROUP BY 1) b
  WHERE k.token = b.api_key;

  PERFORM FROM "LiteLLM_UserTable" u
  WHERE u.user_id IN (SELECT b.user_id FROM jsonb_to_recordset(booked) AS b(user_id text)) ORDER BY u.user_id FOR NO KEY UPDATE;
  UPDATE "LiteLLM_UserTable" u SET spend = u.spend + b.spend
  FROM (SELECT x.user_id, sum(x.spend) AS spend FROM jsonb_to_recordset(booked) AS x(user_id text, spend double precision) GROUP BY 1) b
  WHERE u.user_id = b.user_id AND b.spend > 0;

  PERFORM FROM "LiteLLM_TeamTable" t
  WHERE t.team_id IN (SELECT b.team_id FROM jsonb_to_recordset(booked) AS b(team_id text)) ORDER BY t.team_id FOR NO KEY UPDATE;
  UPDATE "LiteLLM_TeamTable" t SET spend = t.spend + b.spend
  FROM (SELECT x.team_id, sum(x.spend) AS spend FROM jsonb_to_recordset(booked) AS x(team_id text, spend double precision) GROUP BY 1) b
  WHERE t.team_id = b.team_id AND b.spend > 0;
  RETURN jsonb_array_length(booked);
END $$;

-- Renews an instance's lease, then cleans up after instances whose lease ran out, at most `most` rows of each kind. Returns
-- how many reservations it released. Only one process cleans at a time; the others go on.
CREATE FUNCTION central_llm.keep_house(instance_id uuid, lease interval, most integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  orphans uuid[];
  released integer := 0;
  utc timestamp := clock_timestamp() AT TIME ZONE 'UTC';
BEGIN
  INSERT INTO central_llm.instance VALUES (instance_id, clock_timestamp() + lease)
  ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at;
  IF NOT pg_try_advisory_xact_lock(7164390021) THEN RETURN 0; END IF;

  DELETE FROM central_llm.instance i WHERE i.expires_at < clock_timestamp();
  SELECT array_agg(x.id) INTO orphans FROM (
    SELECT r.id FROM central_llm.reservation r
    WHERE r.expires_at < clock_timestamp() OR NOT EXISTS (SELECT FROM central_llm.instance i WHERE i.id = r.instance)
    LIMIT most
  ) x;
  -- Before any row of LiteLLM's is locked: see 002-admit.sql.
  IF orphans IS NOT NULL THEN
    released := central_llm.release(orphans, array_fill(NULL::bigint, ARRAY[cardinality(orphans)]));
  END IF;

  PERFORM central_llm.start_budget('api_key', x.token, x.budget_duration, utc) FROM (
    SELECT k.token, k.budget_duration FROM "LiteLLM_VerificationToken" k
    WHERE k.budget_reset_at <= utc AND k.budget_duration IS NOT NULL ORDER BY k.token LIMIT most) x;
  PERFORM central_llm.start_budget('user', x.user_id, x.budget_duration, utc) FROM (
    SELECT u.user_id, u.budget_duration FROM "LiteLLM_UserTable" u
    WHERE u.budget_reset_at <= utc AND u.budget_duration IS NOT NULL ORDER BY u.user_id LIMIT most) x;
  PERFORM central_llm.start_budget('team', x.team_id, x.budget_duration, utc) FROM (
    SELECT t.team_id, t.budget_duration FROM "LiteLLM_TeamTable" t
    WHERE t.budget_reset_at <= utc AND t.budget_duration IS NOT NULL ORDER BY t.team_id LIMIT most) x;
  -- Settlements of a regenerated key's last requests may still come for a while.
  DELETE FROM central_llm.retired_key k WHERE k.revoke_at < clock_timestamp() - interval '1 day';
  RETURN released;
END $$;
