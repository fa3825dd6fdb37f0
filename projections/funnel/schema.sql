CREATE TABLE {schema}.leads (
    lead uuid PRIMARY KEY,
    pipeline text NOT NULL,
    version int NOT NULL,
    source text NOT NULL,
    captured_at timestamptz NOT NULL,
    known_at timestamptz NOT NULL,
    responsible text,
    visit int NOT NULL,
    reason text,
    outcome text
) WITH (fillfactor = 70);
COMMENT ON TABLE {schema}.leads IS 'What the next stage visit of a lead needs: its pipeline and version, where it came from, who is responsible, the visit it is in or left last (0: none yet), when its latest event was recorded, and of a rejection whose stage it has not entered yet the reason and outcome.';

CREATE TABLE {schema}.visits (
    lead uuid NOT NULL,
    visit int NOT NULL,
    pipeline text NOT NULL,
    pipeline_version int NOT NULL,
    stage text NOT NULL,
    kind text NOT NULL,
    cause text NOT NULL,
    direction text NOT NULL,
    basis text NOT NULL,
    from_stage text,
    source text NOT NULL,
    captured_at timestamptz NOT NULL,
    responsible text,
    worked_by text,
    entered_at timestamptz NOT NULL,
    known_from timestamptz NOT NULL,
    undone boolean NOT NULL,
    left_at timestamptz,
    to_stage text,
    left_by text,
    left_how text,
    left_direction text,
    left_version int,
    left_reason text,
    left_outcome text,
    left_known_at timestamptz,
    PRIMARY KEY (lead, visit)
) WITH (fillfactor = 80);
CREATE INDEX visits_entered ON {schema}.visits (pipeline, entered_at);
CREATE INDEX visits_captured ON {schema}.visits (pipeline, captured_at);
CREATE INDEX visits_late ON {schema}.visits (pipeline, entered_at)
    WHERE known_from - entered_at >= interval '1 hour' OR left_known_at - left_at >= interval '1 hour';
CREATE INDEX visits_undone ON {schema}.visits (pipeline, entered_at) WHERE undone;
COMMENT ON TABLE {schema}.visits IS 'Every visit of a lead to a stage, as it is known now; to_stage and left_… are empty while it is there. Undone ones are kept and count for nothing.';
COMMENT ON COLUMN {schema}.visits.known_from IS 'Since when it has been known as it stands, its end apart.';
COMMENT ON COLUMN {schema}.visits.left_known_at IS 'Since when its end has been known.';

CREATE TABLE {schema}.past_visits (
    LIKE {schema}.visits,
    known_to timestamptz NOT NULL,
    PRIMARY KEY (lead, visit, known_from)
);
CREATE INDEX past_visits_pipeline ON {schema}.past_visits (pipeline, entered_at);
COMMENT ON TABLE {schema}.past_visits IS 'What visits were known to be before they were corrected: from known_from till known_to. What was known at any moment is in visits and here.';
