-- Decides a batch of one process's requests, in their order, in one round trip and one transaction.
--
-- `requests`: [{id, token, model, alias, tokens, cost, lifetime_ms}], token being the sha256 of the key that came, alias the
-- configured name that `model` stands for or null, cost in billionths of a dollar.
-- `lease`: renews the process's lease for so long; null while the process knows that it has one.
-- Answers one object per request: {call, limits, held} when admitted, {call, refusal} when not, `call` being what the
-- database knows of the key. A refused request changes nothing.
--
-- The rows of limit_state are locked in the order of their primary key by everybody, and before any row of LiteLLM's is, so
-- that nobody waits in a circle. Row by row rather than by joins: a batch holds few distinct keys, and starting a join
-- costs more than all its look-ups.
CREATE FUNCTION central_llm.admit(instance_id uuid, lease interval, window_length interval, requests jsonb)
RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  now_at timestamptz := clock_timestamp();
  utc timestamp := now_at AT TIME ZONE 'UTC';
  q record; k record; u record; t record; l record;
  -- The requests, side by side.
  n integer := 0;
  call_ids uuid[]; calls jsonb[]; refusals jsonb[]; want_tokens bigint[]; want_cost bigint[]; lifetimes bigint[];
  -- At (i - 1) * 4 + s: where request i's limited thing s (in the order of `kinds`) is in the lists below; 0: it is not limited.
  mine integer[];
  kinds constant text[] := ARRAY['api_key', 'model', 'team', 'user'];
  -- The distinct limited things, side by side: limits, then counters.
  m integer := 0;
  names text[]; scopes text[]; ids text[];
  rpm bigint[]; tpm bigint[]; parallel integer[]; budget double precision[]; duration text[]; any_budget boolean := false;
  starts timestamptz[]; counts bigint[]; used bigint[]; flying integer[]; held bigint[]; changed boolean[];
  spent double precision[]; resets timestamp[];
  -- One request's.
  known text; asked text[]; found_ids text[]; its_rpm bigint[]; its_tpm bigint[]; its_parallel integer[]; its_budget double precision[];
  i integer; s integer; p integer; places integer[]; sorted integer[]; name text; reason text; refusal jsonb; limits jsonb;
  answers jsonb[] := '{}';
BEGIN
  IF lease IS NOT NULL THEN
    INSERT INTO central_llm.instance VALUES (instance_id, now_at + lease)
    ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at;
  END IF;

  FOR q IN SELECT * FROM jsonb_to_recordset(requests) AS x(
    id uuid, token text, model text, alias text, tokens bigint, cost bigint, lifetime_ms bigint
  ) LOOP
    n := n + 1;
    call_ids[n] := q.id; want_tokens[n] := q.tokens; want_cost[n] := q.cost; lifetimes[n] := q.lifetime_ms;
    -- A busy key's requests come together: it is read once for all of them.
    IF known IS DISTINCT FROM q.token THEN
      known := q.token;
      SELECT x.token, x.key_name, x.key_alias, x.user_id, x.team_id, x.organization_id, x.spend, x.expires, x.blocked, x.models, x.aliases,
        x.metadata, x.allowed_routes, x.rpm_limit, x.tpm_limit, x.max_parallel_requests, x.max_budget, x.budget_duration, x.budget_id
      INTO k FROM "LiteLLM_VerificationToken" x WHERE x.token = q.token;
      IF NOT FOUND THEN
        SELECT x.token, x.key_name, x.key_alias, x.user_id, x.team_id, x.organization_id, x.spend, x.expires, x.blocked, x.models, x.aliases,
          x.metadata, x.allowed_routes, x.rpm_limit, x.tpm_limit, x.max_parallel_requests, x.max_budget, x.budget_duration, x.budget_id
        INTO k FROM central_llm.retired_key o JOIN "LiteLLM_VerificationToken" x ON x.token = o.active_token
        WHERE o.token = q.token AND o.revoke_at > now_at;
      END IF;
      SELECT x.user_id, x.user_email, x.models, x.rpm_limit, x.tpm_limit, x.max_parallel_requests, x.max_budget, x.budget_duration
      INTO u FROM "LiteLLM_UserTable" x WHERE x.user_id = k.user_id;
      SELECT x.team_id, x.team_alias, x.models, x.blocked, x.metadata, x.rpm_limit, x.tpm_limit, x.max_parallel_requests, x.max_budget,
        x.budget_duration
      INTO t FROM "LiteLLM_TeamTable" x WHERE x.team_id = k.team_id;
      IF k.budget_id IS NOT NULL THEN
        SELECT coalesce(k.rpm_limit, x.rpm_limit), coalesce(k.tpm_limit, x.tpm_limit),
          coalesce(k.max_parallel_requests, x.max_parallel_requests), coalesce(k.max_budget, x.max_budget),
          coalesce(k.budget_duration, x.budget_duration)
        INTO k.rpm_limit, k.tpm_limit, k.max_parallel_requests, k.max_budget, k.budget_duration
        FROM (SELECT) one LEFT JOIN "LiteLLM_BudgetTable" x ON x.budget_id = k.budget_id;
      END IF;
    END IF;

    reason := NULL;
    IF k.token IS NULL THEN
      reason := 'unknown_key';
    ELSE
      calls[n] := jsonb_build_object(
        'token', k.token, 'keyName', k.key_name, 'keyAlias', k.key_alias, 'userId', k.user_id, 'teamId', k.team_id,
        'teamAlias', t.team_alias, 'userEmail', u.user_email, 'organizationId', k.organization_id, 'spend', k.spend,
        'maxBudget', k.max_budget, 'tpmLimit', k.tpm_limit, 'rpmLimit', k.rpm_limit, 'modelAlias', k.aliases ->> q.model,
        'allowedRoutes', k.allowed_routes, 'metadata', k.metadata, 'teamMetadata', t.metadata
      );
      asked := array_remove(ARRAY[q.model, q.alias, k.aliases ->> q.model], NULL);
      IF k.blocked THEN
        reason := 'blocked_key';
      ELSIF k.expires <= utc THEN
        reason := 'expired_key';
      ELSIF t.blocked THEN
        reason := 'blocked_team';
      ELSIF NOT (
        central_llm.permits(CASE WHEN 'all-team-models' = ANY (k.models) THEN t.models ELSE k.models END, asked)
        AND central_llm.permits(t.models, asked)
        AND (t.team_id IS NOT NULL OR central_llm.permits(u.models, asked))
      ) THEN
        reason := 'model_denied';
      END IF;
    END IF;
    IF reason IS NOT NULL THEN
      refusals[n] := jsonb_build_object('reason', reason);
      FOR s IN 1..4 LOOP mine[(n - 1) * 4 + s] := 0; END LOOP;
      CONTINUE;
    END IF;

    found_ids := ARRAY[k.token, k.token || ':' || q.model, t.team_id, u.user_id];
    its_rpm := ARRAY[k.rpm_limit, central_llm.whole(k.metadata #> ARRAY['model_rpm_limit', q.model]), t.rpm_limit, u.rpm_limit];
    its_tpm := ARRAY[k.tpm_limit, central_llm.whole(k.metadata #> ARRAY['model_tpm_limit', q.model]), t.tpm_limit, u.tpm_limit];
    its_parallel := ARRAY[k.max_parallel_requests, NULL, t.max_parallel_requests, u.max_parallel_requests];
    its_budget := ARRAY[k.max_budget, NULL, t.max_budget, u.max_budget];
    FOR s IN 1..4 LOOP
      p := 0;
      IF found_ids[s] IS NOT NULL AND num_nonnulls(its_rpm[s], its_tpm[s], its_parallel[s], its_budget[s]) > 0 THEN
        name := kinds[s] || ':' || found_ids[s];
        p := array_position(names, name);
        IF p IS NULL THEN
          m := m + 1; p := m;
          names[p] := name; scopes[p] := kinds[s]; ids[p] := found_ids[s];
          rpm[p] := its_rpm[s]; tpm[p] := its_tpm[s]; parallel[p] := its_parallel[s]; budget[p] := its_budget[s];
          duration[p] := CASE s WHEN 1 THEN k.budget_duration WHEN 3 THEN t.budget_duration WHEN 4 THEN u.budget_duration END;
          any_budget := any_budget OR its_budget[s] IS NOT NULL;
        END IF;
      END IF;
      mine[(n - 1) * 4 + s] := p;
    END LOOP;
  END LOOP;

  IF m > 0 THEN
    -- A single request's are in order already.
    sorted := CASE WHEN n = 1 THEN ARRAY(SELECT generate_series(1, m))
      ELSE ARRAY(SELECT g FROM generate_series(1, m) g ORDER BY scopes[g] COLLATE "C", ids[g] COLLATE "C") END;
    FOREACH p IN ARRAY sorted LOOP
      LOOP
        SELECT x.window_start, x.requests, x.tokens, x.in_flight, x.reserved INTO l
        FROM central_llm.limit_state x WHERE x.scope = scopes[p] AND x.id = ids[p] FOR NO KEY UPDATE;
        EXIT WHEN FOUND;
        INSERT INTO central_llm.limit_state (scope, id) VALUES (scopes[p], ids[p]) ON CONFLICT DO NOTHING;
      END LOOP;
      starts[p] := l.window_start; counts[p] := l.requests; used[p] := l.tokens; flying[p] := l.in_flight; held[p] := l.reserved;
      changed[p] := false;
    END LOOP;
    -- Time passed while we waited for the locks.
    now_at := clock_timestamp();
    utc := now_at AT TIME ZONE 'UTC';
    FOR p IN 1..m LOOP
      IF starts[p] + window_length <= now_at THEN
        starts[p] := now_at; counts[p] := 0; used[p] := 0;
      END IF;
      CONTINUE WHEN budget[p] IS NULL;
      -- Read after the locks: whoever settles holds them until spend and reservation are both changed.
      FOR s IN 1..2 LOOP
        IF scopes[p] = 'api_key' THEN
          SELECT x.spend, x.budget_reset_at INTO l FROM "LiteLLM_VerificationToken" x WHERE x.token = ids[p];
        ELSIF scopes[p] = 'user' THEN
          SELECT x.spend, x.budget_reset_at INTO l FROM "LiteLLM_UserTable" x WHERE x.user_id = ids[p];
        ELSE
          SELECT x.spend, x.budget_reset_at INTO l FROM "LiteLLM_TeamTable" x WHERE x.team_id = ids[p];
        END IF;
        EXIT WHEN s = 2 OR duration[p] IS NULL OR l.budget_reset_at > utc;
        PERFORM central_llm.start_budget(scopes[p], ids[p], duration[p], utc);
      END LOOP;
      -- Deleted or regenerated while we waited: the caller asks again.
      IF l.spend IS NULL THEN
        RAISE EXCEPTION 'a budget''s owner changed while it was read' USING ERRCODE = 'serialization_failure';
      END IF;
      spent[p] := l.spend; resets[p] := l.budget_reset_at;
    END LOOP;
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
        IF counts[p] + 1 > rpm[p] THEN
          refusal := jsonb_build_object('kind', 'requests', 'limit', rpm[p], 'current', counts[p]);
        ELSIF used[p] + want_tokens[i] > tpm[p] THEN
          refusal := jsonb_build_object('kind', 'tokens', 'limit', tpm[p], 'current', used[p]);
        ELSIF flying[p] + 1 > parallel[p] THEN
          refusal := jsonb_build_object('kind', 'max_parallel_requests', 'limit', parallel[p], 'current', flying[p]);
        ELSE
          CONTINUE;
        END IF;
        refusal := refusal || jsonb_build_object('reason', 'rate_limited', 'scope', scopes[p], 'resetAt', starts[p] + window_length);
        EXIT;
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
      changed[p] := true;
      IF rpm[p] IS NOT NULL OR tpm[p] IS NOT NULL THEN
        limits := limits || jsonb_build_object('scope', scopes[p], 'rpm', rpm[p], 'requests', counts[p], 'tpm', tpm[p],
          'tokens', used[p], 'resetAt', starts[p] + window_length);
      END IF;
    END LOOP;
    answers[i] := jsonb_build_object('call', calls[i], 'limits', limits, 'held', cardinality(places) > 0);
    CONTINUE WHEN cardinality(places) = 0;
    asked := '{}'; found_ids := '{}';
    FOREACH p IN ARRAY places LOOP
      asked := asked || scopes[p];
      found_ids := found_ids || ids[p];
    END LOOP;
    INSERT INTO central_llm.reservation (id, instance, admitted_at, expires_at, scopes, ids, tokens, cost)
    VALUES (call_ids[i], instance_id, now_at, now_at + lifetimes[i] * interval '1 millisecond', asked, found_ids, want_tokens[i], want_cost[i]);
  END LOOP;

  FOR p IN 1..m LOOP
    -- A scope of which every request was refused stays as it is.
    CONTINUE WHEN NOT changed[p];
    UPDATE central_llm.limit_state x
    SET window_start = starts[p], requests = counts[p], tokens = used[p], in_flight = flying[p], reserved = held[p]
    WHERE x.scope = scopes[p] AND x.id = ids[p];
  END LOOP;
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
