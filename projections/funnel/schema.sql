CREATE TABLE {schema}.leads (
    lead uuid PRIMARY KEY,
    pipeline text NOT NULL,
    source text NOT NULL,
    captured_at timestamptz NOT NULL,
    responsible text,
    visit int NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX leads_captured ON {schema}.leads (pipeline, captured_at);
COMMENT ON TABLE {schema}.leads IS 'What the next stage visit of a lead needs: where it came from, who is responsible, its last visit (0: none yet).';

CREATE TABLE {schema}.visits (
    lead uuid NOT NULL,
    visit int NOT NULL,
    pipeline text NOT NULL,
    stage text NOT NULL,
    kind text NOT NULL,
    cause text NOT NULL,
    direction text NOT NULL,
    from_stage text,
    source text NOT NULL,
    captured_at timestamptz NOT NULL,
    responsible text,
    worked_by text,
    entered_at timestamptz NOT NULL,
    left_at timestamptz,
    to_stage text,
    left_by text,
    left_how text,
    PRIMARY KEY (lead, visit)
) WITH (fillfactor = 80);
CREATE INDEX visits_entered ON {schema}.visits (pipeline, entered_at);
CREATE INDEX visits_captured ON {schema}.visits (pipeline, captured_at);
COMMENT ON TABLE {schema}.visits IS 'Every visit of a lead to a stage; left_at, to_stage, left_by and left_how are empty while it is there.';
