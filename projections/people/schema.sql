CREATE TABLE {schema}.people (
    contact uuid PRIMARY KEY,
    name text,
    company text,
    made_at timestamptz,
    version bigint NOT NULL,
    erased boolean NOT NULL,
    merged_into uuid
) WITH (fillfactor = 80);
CREATE INDEX people_merged ON {schema}.people (merged_into) WHERE merged_into IS NOT NULL;
COMMENT ON TABLE {schema}.people IS 'Persons. An erased one keeps its row, empty, so that numbers stay whole; merged_into: the same person as that one, who goes on.';

CREATE TABLE {schema}.identities (
    contact uuid NOT NULL,
    kind text NOT NULL,
    value text NOT NULL,
    shared boolean NOT NULL,
    state text NOT NULL,
    PRIMARY KEY (kind, value, contact)
);
CREATE INDEX identities_contact ON {schema}.identities (contact);
CREATE INDEX identities_prefix ON {schema}.identities (kind, value text_pattern_ops);
COMMENT ON TABLE {schema}.identities IS 'Phones (E.164) and e-mails that find a person, in plain text; removed on erasure.';

CREATE TABLE {schema}.words (
    word text NOT NULL,
    contact uuid NOT NULL,
    PRIMARY KEY (contact, word)
);
CREATE INDEX words_prefix ON {schema}.words (word text_pattern_ops);
COMMENT ON TABLE {schema}.words IS 'Words of names and companies in small letters, for search by their beginnings; removed on erasure.';

CREATE TABLE {schema}.leads (
    lead uuid PRIMARY KEY,
    contact uuid NOT NULL
);
CREATE INDEX leads_contact ON {schema}.leads (contact);
COMMENT ON TABLE {schema}.leads IS 'Which leads are whose.';

CREATE TABLE {schema}.duplicates (
    lead uuid NOT NULL,
    other_contact uuid NOT NULL,
    identity_kind text NOT NULL,
    suspected_at timestamptz NOT NULL,
    dismissed_at timestamptz,
    PRIMARY KEY (lead, other_contact)
);
CREATE INDEX duplicates_open ON {schema}.duplicates (suspected_at DESC, lead) WHERE dismissed_at IS NULL;
COMMENT ON TABLE {schema}.duplicates IS 'Leads whose phone or e-mail a person of another name has too (C3); dismissed_at: a person said that they are two.';

CREATE TABLE {schema}.companies (
    company uuid PRIMARY KEY,
    name text,
    made_at timestamptz,
    version bigint NOT NULL,
    erased boolean NOT NULL
) WITH (fillfactor = 80);
COMMENT ON TABLE {schema}.companies IS 'Companies that leads named. An erased one keeps its row, empty.';

CREATE TABLE {schema}.company_identities (
    company uuid NOT NULL,
    kind text NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (company, kind, value)
);
COMMENT ON TABLE {schema}.company_identities IS 'What finds a company: its normal name, its site (host), its phone (E.164); removed on erasure.';

CREATE TABLE {schema}.company_words (
    word text NOT NULL,
    company uuid NOT NULL,
    PRIMARY KEY (company, word)
);
CREATE INDEX company_words_prefix ON {schema}.company_words (word text_pattern_ops);
COMMENT ON TABLE {schema}.company_words IS 'Words of companies'' names in small letters, for search by their beginnings; removed on erasure.';

CREATE TABLE {schema}.company_people (
    contact uuid NOT NULL,
    company uuid NOT NULL,
    joined_at timestamptz NOT NULL,
    PRIMARY KEY (contact, company)
);
CREATE INDEX company_people_company ON {schema}.company_people (company);
COMMENT ON TABLE {schema}.company_people IS 'Who speaks for which company, and since when; through them a company has its leads.';
