-- Decides a batch of one process's requests, in their order, in one round trip and one transaction.
--
-- `requests`: [{id, token, model, alias, tokens, cost, lifetime_ms}], token being the sha256 of the key that came, alias the
-- configured name that `model` stands for or null, cost in billionths of a dollar.
-- Answers one object per request: {call, limits, held} when admitted, {call, refusal} when not, `call` being what the
-- database knows of the key. A refused request changes nothing.
--
-- The rows of limit_state are locked in one order by everybody, and before any row of LiteLLM's is: no deadlock.
CREATE FUNCTION central_llm.admit(instance_id uuid, lease interval, window_length interval, requests jsonb)
RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  now_at timestamptz := clock_timestamp();
  utc timestamp := now_at AT TIME ZONE 'UTC';
  r record;
  -- The requests, side by side.
  n integer := 0;
  call_ids uuid[]; calls jsonb[]; refusals jsonb[]; want_tokens bigint[]; want_cost bigint[]; lifetimes interval[];
  -- At (i - 1) * 4 + s: where request i's limited thing s (key, user, team, model of the key) is in the lists below; or 0.
  mine integer[];
  -- The distinct limited things, side by side: limits, then counters.
  m integer := 0;
  names text[]; scopes text[]; ids text[];
  rpm bigint[]; tpm bigint[]; parallel integer[]; budget double precision[]; duration text[]; any_budget boolean := false;
  starts timestamptz[]; counts bigint[]; used bigint[]; flying integer[]; held bigint[]; spent double precision[]; resets timestamp[];
  i integer; s integer; p integer; name text; places integer[]; refusal jsonb; limits jsonb;
  -- The admitted ones, by number, and those of them that hold something.
  holders integer[] := '{}'; holder_places text[]; answers jsonb[] := '{}';
BEGIN
  IF NOT EXISTS (SELECT FROM central_llm.instance x WHERE x.id = instance_id AND x.expires_at > now_at) THEN
    INSERT INTO central_llm.instance VALUES (instance_id, now_at + lease)
    ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at;
  END IF;

  FOR r IN
    SELECT q.id, q.tokens, q.cost, q.lifetime_ms * interval '1 millisecond' AS lifetime, x.token,
      ARRAY['api_key', 'user', 'team', 'model'] AS scopes,
      ARRAY[x.token, u.user_id, t.team_id, x.token || ':' || q.model] AS ids,
      ARRAY[coalesce(x.rpm_limit, b.rpm_limit), u.rpm_limit, t.rpm_limit, central_llm.whole(x.metadata #> ARRAY['model_rpm_limit', q.model])] AS rpm,
      ARRAY[coalesce(x.tpm_limit, b.tpm_limit), u.tpm_limit, t.tpm_limit, central_llm.whole(x.metadata #> ARRAY['model_tpm_limit', q.model])] AS tpm,
      ARRAY[coalesce(x.max_parallel_requests, b.max_parallel_requests), u.max_parallel_requests, t.max_parallel_requests, NULL] AS parallel,
      ARRAY[coalesce(x.max_budget, b.max_budget), u.max_budget, t.max_budget, NULL] AS budget,
      ARRAY[coalesce(x.budget_duration, b.budget_duration), u.budget_duration, t.budget_duration, NULL] AS duration,
      CASE WHEN x.token IS NOT NULL THEN jsonb_build_object(
        'token', x.token, 'keyName', x.key_name, 'keyAlias', x.key_alias, 'userId', x.user_id, 'teamId', x.team_id,
        'teamAlias', t.team_alias, 'userEmail', u.user_email, 'organizationId', x.organization_id, 'spend', x.spend,
        'maxBudget', coalesce(x.max_budget, b.max_budget), 'tpmLimit', coalesce(x.tpm_limit, b.tpm_limit),
        'rpmLimit', coalesce(x.rpm_limit, b.rpm_limit), 'modelAlias', x.aliases ->> q.model,
        'allowedRoutes', x.allowed_routes, 'metadata', x.metadata, 'teamMetadata', t.metadata
      ) END AS call,
      CASE
        WHEN x.token IS NULL THEN 'unknown_key'
        WHEN x.blocked THEN 'blocked_key'
        WHEN x.expires <= utc THEN 'expired_key'
        WHEN t.blocked THEN 'blocked_team'
        WHEN NOT (
          central_llm.permits(CASE WHEN 'all-team-models' = ANY (x.models) THEN t.models ELSE x.models END, w.names)
          AND central_llm.permits(t.models, w.names)
          AND (t.team_id IS NOT NULL OR central_llm.permits(u.models, w.names))
        ) THEN 'model_denied'
      END AS refusal
    FROM ROWS FROM (jsonb_to_recordset(requests) AS (
        id uuid, token text, model text, alias text, tokens bigint, cost bigint, lifetime_ms bigint
      )) WITH ORDINALITY AS q(id, token, model, alias, tokens, cost, lifetime_ms, position)
    LEFT JOIN central_llm.retired_key o ON o.token = q.token AND o.revoke_at > now_at
    LEFT JOIN "LiteLLM_VerificationToken" x ON x.token = coalesce(o.active_token, q.token)
    LEFT JOIN "LiteLLM_UserTable" u ON u.user_id = x.user_id
    LEFT JOIN "LiteLLM_TeamTable" t ON t.team_id = x.team_id
    LEFT JOIN "LiteLLM_BudgetTable" b ON b.budget_id = x.budget_id
    CROSS JOIN LATERAL (SELECT array_remove(ARRAY[q.model, q.alias, x.aliases ->> q.model], NULL) AS names) w
    ORDER BY q.position
  LOOP
    n := n + 1;
    call_ids[n] := r.id; calls[n] := r.call; want_tokens[n] := r.tokens; want_cost[n] := r.cost; lifetimes[n] := r.lifetime;
    refusals[n] := CASE WHEN r.refusal IS NOT NULL THEN jsonb_build_object('reason', r.refusal) END;
    FOR s IN 1..4 LOOP
      mine[(n - 1) * 4 + s] := 0;
      CONTINUE WHEN r.refusal IS NOT NULL OR r.ids[s] IS NULL
        OR (r.rpm[s] IS NULL AND r.tpm[s] IS NULL AND r.parallel[s] IS NULL AND r.budget[s] IS NULL);
      name := r.scopes[s] || ':' || r.ids[s];
      p := array_position(names, name);
      IF p IS NULL THEN
        m := m + 1; p := m;
        names[p] := name; scopes[p] := r.scopes[s]; ids[p] := r.ids[s];
        rpm[p] := r.rpm[s]; tpm[p] := r.tpm[s]; parallel[p] := r.parallel[s];
        budget[p] := r.budget[s]; duration[p] := r.duration[s];
        any_budget := any_budget OR r.budget[s] IS NOT NULL;
      END IF;
      mine[(n - 1) * 4 + s] := p;
    END LOOP;
  END LOOP;

  IF m > 0 THEN
    INSERT INTO central_llm.limit_state (scope, id)
    SELECT w.scope, w.id FROM unnest(scopes, ids) AS w(scope, id)
    WHERE NOT EXISTS (SELECT FROM central_llm.limit_state x WHERE x.scope = w.scope AND x.id = w.id)
    ORDER BY w.scope COLLATE "C", w.id COLLATE "C"
    ON CONFLICT DO NOTHING;

    SELECT array_agg(x.window_start ORDER BY x.at), array_agg(x.requests ORDER BY x.at), array_agg(x.tokens ORDER BY x.at),
      array_agg(x.in_flight ORDER BY x.at), array_agg(x.reserved ORDER BY x.at)
    INTO starts, counts, used, flying, held
    FROM (
      SELECT w.at, l.* FROM unnest(scopes, ids) WITH ORDINALITY AS w(scope, id, at)
      JOIN central_llm.limit_state l ON l.scope = w.scope AND l.id = w.id
      ORDER BY l.scope, l.id FOR NO KEY UPDATE OF l
    ) x;
    -- A key that was deleted or regenerated while we waited took its counters along: the caller asks again.
    IF cardinality(starts) IS DISTINCT FROM m THEN
      RAISE EXCEPTION 'limits changed while they were read' USING ERRCODE = 'serialization_failure';
    END IF;
    -- Time passed while we waited for the locks.
    now_at := clock_timestamp();
    FOR p IN 1..m LOOP
      IF starts[p] + window_length <= now_at THEN
        starts[p] := now_at; counts[p] := 0; used[p] := 0;
      END IF;
    END LOOP;
    IF any_budget THEN
      -- Read after the locks: whoever settles holds them until spend and reservation are both changed.
      SELECT array_agg(coalesce(k.spend, u.spend, t.spend) ORDER BY w.at),
        array_agg(coalesce(k.budget_reset_at, u.budget_reset_at, t.budget_reset_at) ORDER BY w.at)
      INTO spent, resets
      FROM unnest(scopes, ids) WITH ORDINALITY AS w(scope, id, at)
      LEFT JOIN "LiteLLM_VerificationToken" k ON w.scope = 'api_key' AND k.token = w.id
      LEFT JOIN "LiteLLM_UserTable" u ON w.scope = 'user' AND u.user_id = w.id
      LEFT JOIN "LiteLLM_TeamTable" t ON w.scope = 'team' AND t.team_id = w.id;
      utc := now_at AT TIME ZONE 'UTC';
      FOR p IN 1..m LOOP
        IF scopes[p] = 'api_key' AND budget[p] IS NOT NULL AND spent[p] IS NULL THEN
          RAISE EXCEPTION 'the key changed while it was read' USING ERRCODE = 'serialization_failure';
        END IF;
        CONTINUE WHEN budget[p] IS NULL OR duration[p] IS NULL OR resets[p] > utc;
        resets[p] := central_llm.start_budget(scopes[p], ids[p], duration[p], utc);
        spent[p] := CASE scopes[p]
          WHEN 'api_key' THEN (SELECT k.spend FROM "LiteLLM_VerificationToken" k WHERE k.token = ids[p])
          WHEN 'user' THEN (SELECT u.spend FROM "LiteLLM_UserTable" u WHERE u.user_id = ids[p])
          ELSE (SELECT t.spend FROM "LiteLLM_TeamTable" t WHERE t.team_id = ids[p]) END;
      END LOOP;
    END IF;
  END IF;

  FOR i IN 1..n LOOP
    refusal := refusals[i];
    places := array_remove(mine[(i - 1) * 4 + 1:i * 4], 0);
    IF refusal IS NULL AND any_budget THEN
      FOREACH p IN ARRAY places LOOP
        -- The last term forgives what binary fractions add up to, far below any price.
        IF spent[p] >= budget[p] OR spent[p] + (held[p] + want_cost[i]) / 1e9::double precision > budget[p] + 1e-10 THEN
          refusal := jsonb_build_object('reason', 'over_budget', 'scope', scopes[p], 'limit', budget[p], 'spend', spent[p],
            'reserved', held[p] / 1e9::double precision, 'resetAt', to_jsonb(resets[p] AT TIME ZONE 'UTC'));
          EXIT;
        END IF;
      END LOOP;
    END IF;
    IF refusal IS NULL THEN
      FOREACH p IN ARRAY places LOOP
        refusal := CASE
          WHEN counts[p] + 1 > rpm[p] THEN jsonb_build_object('kind', 'requests', 'limit', rpm[p], 'current', counts[p])
          WHEN used[p] + want_tokens[i] > tpm[p] THEN jsonb_build_object('kind', 'tokens', 'limit', tpm[p], 'current', used[p])
          WHEN flying[p] + 1 > parallel[p] THEN jsonb_build_object('kind', 'max_parallel_requests', 'limit', parallel[p], 'current', flying[p])
        END;
        IF refusal IS NOT NULL THEN
          refusal := refusal || jsonb_build_object('reason', 'rate_limited', 'scope', scopes[p], 'resetAt', starts[p] + window_length);
          EXIT;
        END IF;
      END LOOP;
    END IF;
    IF refusal IS NOT NULL THEN
      answers[i] := jsonb_build_object('call', calls[i], 'refusal', refusal);
      CONTINUE;
    END IF;
    limits := '[]';
    FOREACH p IN ARRAY places LOOP
      counts[p] := counts[p] + 1;
      used[p] := used[p] + want_tokens[i];
      flying[p] := flying[p] + 1;
      held[p] := held[p] + want_cost[i];
      IF rpm[p] IS NOT NULL OR tpm[p] IS NOT NULL THEN
        limits := limits || jsonb_build_object('scope', scopes[p], 'rpm', rpm[p], 'requests', counts[p], 'tpm', tpm[p],
          'tokens', used[p], 'resetAt', starts[p] + window_length);
      END IF;
    END LOOP;
    IF cardinality(places) > 0 THEN
      holders := holders || i;
    END IF;
    answers[i] := jsonb_build_object('call', calls[i], 'limits', limits, 'held', cardinality(places) > 0);
  END LOOP;

  IF cardinality(holders) > 0 THEN
    UPDATE central_llm.limit_state l
    SET window_start = w.window_start, requests = w.requests, tokens = w.tokens, in_flight = w.in_flight, reserved = w.reserved
    FROM unnest(scopes, ids, starts, counts, used, flying, held)
      AS w(scope, id, window_start, requests, tokens, in_flight, reserved)
    -- A scope of which every request was refused stays as it is.
    WHERE l.scope = w.scope AND l.id = w.id AND l.in_flight <> w.in_flight;

    INSERT INTO central_llm.reservation
    SELECT call_ids[h], instance_id, now_at, now_at + lifetimes[h],
      ARRAY(SELECT scopes[y] FROM unnest(mine[(h - 1) * 4 + 1:h * 4]) WITH ORDINALITY AS z(y, o) WHERE y > 0 ORDER BY o),
      ARRAY(SELECT ids[y] FROM unnest(mine[(h - 1) * 4 + 1:h * 4]) WITH ORDINALITY AS z(y, o) WHERE y > 0 ORDER BY o),
      want_tokens[h], want_cost[h]
    FROM unnest(holders) h;
  END IF;
  RETURN to_jsonb(answers);
END $$;

-- A whole number in somebody's JSON; null for anything else.
CREATE FUNCTION central_llm.whole(value jsonb) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN jsonb_typeof(value) = 'number' THEN trunc(least(value::text::numeric, 9e18))::bigint END
$$;

-- Begins a new budget period when the old one is over (the condition is repeated: LiteLLM may have done it just now).
-- Returns when the period that now runs ends.
CREATE FUNCTION central_llm.start_budget(scope text, id text, duration text, utc timestamp)
RETURNS timestamp LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
  ends timestamp := central_llm.next_reset(duration, utc);
BEGIN
  IF ends IS NULL THEN RETURN NULL; END IF;
  IF scope = 'api_key' THEN
    UPDATE "LiteLLM_VerificationToken" x SET budget_reset_at = ends, spend = CASE WHEN x.budget_reset_at IS NULL THEN x.spend ELSE 0 END
    WHERE x.token = id AND (x.budget_reset_at IS NULL OR x.budget_reset_at <= utc);
  ELSIF scope = 'user' THEN
    UPDATE "LiteLLM_UserTable" x SET budget_reset_at = ends, spend = CASE WHEN x.budget_reset_at IS NULL THEN x.spend ELSE 0 END
    WHERE x.user_id = id AND (x.budget_reset_at IS NULL OR x.budget_reset_at <= utc);
  ELSE
    UPDATE "LiteLLM_TeamTable" x SET budget_reset_at = ends, spend = CASE WHEN x.budget_reset_at IS NULL THEN x.spend ELSE 0 END
    WHERE x.team_id = id AND (x.budget_reset_at IS NULL OR x.budget_reset_at <= utc);
  END IF;
  RETURN ends;
END $$;
