CREATE TABLE {schema}.entries (
    lead uuid NOT NULL,
    version bigint NOT NULL,
    type text NOT NULL,
    happened_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    actor_id text NOT NULL,
    actor_kind text NOT NULL,
    on_behalf_of text,
    person uuid,
    data jsonb NOT NULL,
    personal jsonb,
    erased boolean NOT NULL,
    PRIMARY KEY (lead, version)
);
CREATE INDEX entries_person ON {schema}.entries (person) WHERE personal IS NOT NULL;
COMMENT ON TABLE {schema}.entries IS 'Every event of every lead and deal. personal: its personal values, wiped when the person is erased.';
