-- Teams, every version, and what assignment goes by (C4, N19): turns had, leads a day, and whose each lead is.

CREATE TABLE leadline.teams (
    team text NOT NULL,
    number int NOT NULL CHECK (number > 0),
    source text NOT NULL,
    sha256 text NOT NULL,
    origin text NOT NULL CHECK (origin IN ('default', 'file')),
    published_by text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (team, number)
);
COMMENT ON TABLE leadline.teams IS 'Every version of every team; the event TeamPublished says the same. source: its YAML, by a person (file) or made of the settings (default).';

CREATE TABLE leadline.rotation (
    circle text NOT NULL,
    person text NOT NULL,
    had bigint NOT NULL CHECK (had >= 0),
    reached bigint NOT NULL CHECK (reached >= 0),
    turn bigint NOT NULL CHECK (turn >= 0),
    PRIMARY KEY (circle, person)
);
COMMENT ON TABLE leadline.rotation IS 'Turns had, by circle: the people among whom the same leads go round (a team, or a rule of a pipeline). had: leads got in turn; reached: how far round the person is, had counted by weight and from where they came (back) in; turn: number of their last one. The person "" has the circle''s own: had all turns, reached how far it is.';

CREATE TABLE leadline.assigned_days (
    person text NOT NULL,
    day date NOT NULL,
    leads int NOT NULL CHECK (leads > 0),
    PRIMARY KEY (person, day)
);
COMMENT ON TABLE leadline.assigned_days IS 'How many leads were assigned to a person by themselves on a day of their team''s calendar, for the quota of a day.';

DROP TABLE leadline.turns;

ALTER TABLE leadline.lead_places ADD COLUMN responsible text;
COMMENT ON COLUMN leadline.lead_places.responsible IS 'Whose the lead is; none: it waits in the pool, or was never given to anybody.';

-- Whose each lead is already, from the events.
WITH given AS (
    SELECT DISTINCT ON (originator_id) originator_id AS lead, convert_from(state, 'UTF8')::json -> 'data' ->> 'to' AS person
    FROM leadline.events WHERE topic IN ('leadline.lead.assigned', 'leadline.deal.assigned')
    ORDER BY originator_id, originator_version DESC
)
UPDATE leadline.lead_places AS p SET responsible = g.person FROM given AS g WHERE g.lead = p.lead;

CREATE INDEX lead_places_responsible ON leadline.lead_places (responsible)
    WHERE responsible IS NOT NULL AND NOT erased AND kind IN ('open', 'postponed');
