-- What LiteLLM's tables have no place for. Ours alone, in a schema of our own: LiteLLM never sees it.

-- One life of one gateway process. Its reservations count as long as its lease runs.
CREATE TABLE central_llm.instance (
  id uuid PRIMARY KEY,
  expires_at timestamptz NOT NULL
);

-- The counters of one limited thing: an api_key, a user, a team, or a model of a key. A window begins with the first
-- request after the last window's end. Nothing but the primary key is indexed and half of each page stays free, so that an
-- update is a HOT update: no index is touched.
CREATE TABLE central_llm.limit_state (
  scope text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  window_start timestamptz NOT NULL DEFAULT '-infinity',
  requests bigint NOT NULL DEFAULT 0,
  tokens bigint NOT NULL DEFAULT 0,
  in_flight integer NOT NULL DEFAULT 0,
  -- Billionths of a dollar held by requests in flight: whole numbers, so that what is given back is what was taken.
  reserved bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (scope, id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 2000);

-- What one admitted request holds, and of whom (scopes and ids, side by side), until it is settled or released.
CREATE TABLE central_llm.reservation (
  id uuid PRIMARY KEY,
  instance uuid NOT NULL,
  admitted_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  scopes text[] NOT NULL,
  ids text[] NOT NULL,
  tokens bigint NOT NULL,
  cost bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);

-- A key that was regenerated: until `revoke_at` the old one is the new one; later, settlements still find the new one.
CREATE TABLE central_llm.retired_key (
  token text PRIMARY KEY,
  active_token text NOT NULL,
  revoke_at timestamptz NOT NULL
);
CREATE INDEX ON central_llm.retired_key (active_token);

-- Proof that somebody's data was deleted, without saying whose: `subject` is the sha256 of the user's id.
CREATE TABLE central_llm.erasure_receipt (
  id uuid PRIMARY KEY,
  subject text NOT NULL,
  erased_at timestamptz NOT NULL,
  erased_by text NOT NULL,
  counts jsonb NOT NULL
);
CREATE INDEX ON central_llm.erasure_receipt (subject, erased_at);

-- When a budget of this duration starts anew, as LiteLLM's get_next_standardized_reset_time has it: `7d` on Monday, `30d` and
-- `1mo` on the first of the month, others on multiples of themselves since midnight, UTC.
CREATE FUNCTION central_llm.next_reset(duration text, at timestamp) RETURNS timestamp LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  part text[] := regexp_match(duration, '^(\d{1,6})(mo|[smhdw])$');
  n integer := part[1]::integer;
  unit text := part[2];
  midnight timestamp := date_trunc('day', at);
  step interval;
BEGIN
  IF part IS NULL OR n = 0 THEN RETURN NULL; END IF;
  IF unit = 'w' THEN unit := 'd'; n := n * 7; END IF;
  IF unit = 'mo' THEN RETURN date_trunc('month', at) + make_interval(months => n); END IF;
  IF unit = 'd' THEN
    IF n = 7 THEN RETURN date_trunc('week', at) + interval '7 days'; END IF;
    IF n = 30 THEN RETURN date_trunc('month', at) + interval '1 month'; END IF;
    RETURN midnight + make_interval(days => n);
  END IF;
  step := CASE unit WHEN 'h' THEN make_interval(hours => n) WHEN 'm' THEN make_interval(mins => n) ELSE make_interval(secs => n) END;
  RETURN midnight + step * (floor(extract(epoch FROM at - midnight) / extract(epoch FROM step)) + 1);
END $$;

-- Whether a list of models (of a key, user or team) lets one of these names be called. An empty list allows all; `*` in
-- an entry stands for anything.
-- (PL/pgSQL: an SQL function with a subquery is not inlined, and costs ten times as much to call.)
CREATE FUNCTION central_llm.permits(models text[], names text[]) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF coalesce(cardinality(models), 0) = 0 OR models && names OR models && ARRAY['*', 'all-proxy-models'] THEN
    RETURN true;
  END IF;
  RETURN EXISTS (
    SELECT FROM unnest(models) entry, unnest(names) name
    WHERE entry LIKE '%*%'
      AND name LIKE replace(replace(replace(replace(entry, '\', '\\'), '%', '\%'), '_', '\_'), '*', '%')
  );
END $$;
