-- Team calendars, every version (C2, decision 12): a deadline says under which one it was fixed.

CREATE TABLE leadline.calendars (
    team text NOT NULL,
    number int NOT NULL CHECK (number > 0),
    body text NOT NULL,
    sha256 text NOT NULL,
    source text NOT NULL,
    origin text NOT NULL CHECK (origin IN ('default', 'file')),
    published_by text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (team, number)
);
COMMENT ON TABLE leadline.calendars IS 'Every version of every team''s calendar. body: the calendar as JSON, public holidays written out; source: the YAML it was read from, by a person (file) or of the settings (default). A new number whenever body changes.';
