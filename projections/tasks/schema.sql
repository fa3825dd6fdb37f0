CREATE TABLE {schema}.activities (
    lead uuid NOT NULL,
    activity uuid NOT NULL,
    pipeline text NOT NULL,
    kind text NOT NULL,
    reason text NOT NULL,
    planned_at timestamptz NOT NULL,
    planned_by text NOT NULL,
    first_due_at timestamptz,
    due_at timestamptz,
    moved int NOT NULL,
    assignee text,
    robot text,
    deadline text,
    visit int,
    is_key boolean NOT NULL,
    remind_at timestamptz,
    recurring boolean NOT NULL,
    follows uuid,
    outcome text,
    closed_at timestamptz,
    closed_by text,
    closed_reason text,
    PRIMARY KEY (lead, activity)
) WITH (fillfactor = 70);
CREATE INDEX activities_assignee ON {schema}.activities (assignee, due_at) WHERE outcome IS NULL;
CREATE INDEX activities_due ON {schema}.activities (due_at) WHERE outcome IS NULL;
CREATE INDEX activities_closed ON {schema}.activities (closed_at) WHERE outcome IS NOT NULL;
COMMENT ON TABLE {schema}.activities IS 'A planned activity of a lead or deal; outcome empty: it is to be done, by the assignee or, where there is none, by whoever is responsible (board.cards). Texts and results stay in the timeline.';

CREATE TABLE {schema}.deadlines (
    lead uuid NOT NULL,
    timer uuid NOT NULL,
    pipeline text NOT NULL,
    deadline text NOT NULL,
    visit int NOT NULL,
    turn int NOT NULL,
    because text NOT NULL,
    begun_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    term jsonb NOT NULL,
    clause text,
    calendar text,
    counted_for text,
    warn_at timestamptz,
    activity uuid,
    raises boolean NOT NULL,
    lacks jsonb NOT NULL,
    outcome text,
    closed_at timestamptz,
    closed_reason text,
    result text,
    left_s bigint,
    late_ms bigint,
    missed_by text,
    cause text,
    stage text,
    running int,
    incident uuid,
    PRIMARY KEY (lead, timer)
) WITH (fillfactor = 70);
CREATE INDEX deadlines_due ON {schema}.deadlines (due_at) WHERE outcome IS NULL;
CREATE INDEX deadlines_closed ON {schema}.deadlines (pipeline, closed_at) WHERE outcome IS NOT NULL;
COMMENT ON TABLE {schema}.deadlines IS 'A turn of a deadline; outcome empty: it runs. lacks: what is asked for again, or was lacking at its end.';

CREATE TABLE {schema}.reviews (
    lead uuid NOT NULL,
    visit int NOT NULL,
    pipeline text NOT NULL,
    status text NOT NULL,
    reason text,
    automatic boolean NOT NULL,
    responsible text,
    opened_at timestamptz NOT NULL,
    decision text,
    decided_at timestamptz,
    decided_by text,
    dropped_by text,
    PRIMARY KEY (lead, visit)
) WITH (fillfactor = 70);
CREATE INDEX reviews_open ON {schema}.reviews (opened_at) WHERE decision IS NULL;
CREATE INDEX reviews_decided ON {schema}.reviews (decided_at) WHERE decision IS NOT NULL;
COMMENT ON TABLE {schema}.reviews IS 'A lead that was made poor, for the head to judge; decision empty: it waits. Reasons in words stay in the timeline.';
