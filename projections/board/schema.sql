CREATE TABLE {schema}.cards (
    lead uuid PRIMARY KEY,
    partition int NOT NULL,
    pipeline text NOT NULL,
    stage text NOT NULL,
    kind text NOT NULL,
    visit int NOT NULL,
    entered_at timestamptz NOT NULL,
    name text,
    company text,
    source text NOT NULL,
    channel text NOT NULL,
    form text,
    responsible text,
    amount numeric(15, 2),
    currency text,
    contact uuid NOT NULL,
    version bigint NOT NULL,
    captured_at timestamptz NOT NULL,
    paused_until date,
    sealed boolean NOT NULL,
    erased boolean NOT NULL,
    merged_into uuid,
    deal_of uuid,
    withdrawn boolean NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX cards_stage ON {schema}.cards (pipeline, stage, entered_at DESC, lead) WHERE merged_into IS NULL AND NOT withdrawn;
CREATE INDEX cards_responsible ON {schema}.cards (responsible, captured_at DESC, lead);
CREATE INDEX cards_captured ON {schema}.cards (captured_at DESC, lead);
CREATE INDEX cards_contact ON {schema}.cards (contact);
CREATE INDEX cards_deal_of ON {schema}.cards (deal_of) WHERE deal_of IS NOT NULL;
COMMENT ON TABLE {schema}.cards IS 'A card per lead and per deal, as of its last event; merged_into: it went into that lead and stands in no stage; deal_of: it is a deal, and its lead''s card says who the client is where name and company are empty here; withdrawn: the conversion was undone, the deal stands in no stage. Wiped of personal data when the person is erased.';

CREATE TABLE {schema}.counts (
    pipeline text NOT NULL,
    stage text NOT NULL,
    partition int NOT NULL,
    leads bigint NOT NULL,
    erased bigint NOT NULL,
    PRIMARY KEY (pipeline, stage, partition)
) WITH (fillfactor = 50);
COMMENT ON TABLE {schema}.counts IS 'Cards per stage, by partition of the topic so that no row is hot; added on reading.';

CREATE TABLE {schema}.sums (
    pipeline text NOT NULL,
    stage text NOT NULL,
    partition int NOT NULL,
    currency text NOT NULL,
    amount numeric NOT NULL,
    PRIMARY KEY (pipeline, stage, partition, currency)
) WITH (fillfactor = 50);
COMMENT ON TABLE {schema}.sums IS 'Amounts of the last offers per stage, by partition and currency; added on reading.';
