CREATE TABLE {schema}.runs (
    lead uuid NOT NULL,
    timer uuid NOT NULL,
    pipeline text NOT NULL,
    robot text NOT NULL,
    visit int NOT NULL,
    because text NOT NULL,
    armed_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    outcome text,
    reason text,
    closed_at timestamptz,
    late_ms bigint,
    effect uuid,
    PRIMARY KEY (lead, timer)
) WITH (fillfactor = 70);
CREATE INDEX runs_pipeline ON {schema}.runs (pipeline, closed_at);
COMMENT ON TABLE {schema}.runs IS 'A robot under one timer, in a stage visit of a lead; outcome empty: it waits for due_at.';

CREATE TABLE {schema}.effects (
    lead uuid NOT NULL,
    effect uuid NOT NULL,
    pipeline text NOT NULL,
    kind text NOT NULL,
    robot text,
    visit int,
    template text,
    service text,
    action text,
    marketing boolean NOT NULL,
    requested_at timestamptz NOT NULL,
    state text NOT NULL,
    closed_at timestamptz,
    attempts int,
    provider text,
    reason text,
    matched bigint,
    doubtful boolean NOT NULL,
    repeats int NOT NULL,
    bounced text,
    bounced_at timestamptz,
    PRIMARY KEY (lead, effect)
) WITH (fillfactor = 70);
COMMENT ON TABLE {schema}.effects IS 'What was requested of the outside for a lead, and what came of it; nothing personal.';

CREATE TABLE {schema}.pulls (
    lead uuid NOT NULL,
    version bigint NOT NULL,
    pipeline text NOT NULL,
    trigger text NOT NULL,
    at timestamptz NOT NULL,
    fired boolean NOT NULL,
    to_stage text NOT NULL,
    reason text,
    PRIMARY KEY (lead, version)
);
CREATE INDEX pulls_pipeline ON {schema}.pulls (pipeline, at);
COMMENT ON TABLE {schema}.pulls IS 'A trigger that moved a lead (fired), or stood ready and did not.';
