-- Imports (`leadline import`): what became of each row, and how far each import has come.

CREATE TABLE leadline.imports (
    id uuid PRIMARY KEY,
    source text NOT NULL,
    pipeline text NOT NULL,
    file text NOT NULL,
    file_sha256 bytea NOT NULL CHECK (length(file_sha256) = 32),
    mapping_sha256 bytea NOT NULL CHECK (length(mapping_sha256) = 32),
    taken bigint NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL,
    finished_at timestamptz
);
COMMENT ON TABLE leadline.imports IS 'Each import: one file, read by one mapping into one pipeline under one source; the same again is the same row.';
COMMENT ON COLUMN leadline.imports.file IS 'The file''s name, without its folder.';
COMMENT ON COLUMN leadline.imports.taken IS 'Rows of the file that are decided, from its beginning; moved in the transaction of their events.';

CREATE TABLE leadline.import_rows (
    id uuid PRIMARY KEY,
    import uuid NOT NULL,
    line bigint NOT NULL,
    lead uuid NOT NULL,
    stage text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('done', 'refused')),
    rule_ids text[] NOT NULL DEFAULT '{}',
    refusal jsonb,
    first_version bigint,
    last_version bigint,
    at timestamptz NOT NULL
);
CREATE INDEX import_rows_refused ON leadline.import_rows (import) WHERE outcome = 'refused';
CREATE INDEX import_rows_refused_of_lead ON leadline.import_rows (lead) WHERE outcome = 'refused';
COMMENT ON TABLE leadline.import_rows IS 'What became of each row of an import; a repeat gets the same. No personal data.';
COMMENT ON COLUMN leadline.import_rows.id IS 'Made from source, case, activity and time: by it a repeat is known, whatever file it is in.';
COMMENT ON COLUMN leadline.import_rows.import IS 'The import that decided the row; a refused row is decided anew when another import offers it.';
