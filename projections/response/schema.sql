CREATE TABLE {schema}.leads (
    lead uuid PRIMARY KEY,
    pipeline text NOT NULL,
    source text NOT NULL,
    channel text NOT NULL,
    form text,
    arrived_at timestamptz NOT NULL,
    captured_at timestamptz NOT NULL,
    responsible text,
    assigned_at timestamptz,
    assigned_to text,
    seen_at timestamptz,
    seen_by text,
    seen_responsible text,
    accepted_at timestamptz,
    accepted_by text,
    accepted_responsible text,
    contact_at timestamptz,
    contact_by text,
    contact_responsible text,
    contact_how text,
    merged boolean NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX leads_arrived ON {schema}.leads (arrived_at, pipeline);
COMMENT ON TABLE {schema}.leads IS 'A lead that came by a channel, and its first steps; who was responsible at each. Leads made by hand and imported ones have no row.';
