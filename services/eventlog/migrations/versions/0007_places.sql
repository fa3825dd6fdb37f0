-- Where each lead stands, for publishing and archiving (M3, N14), and which pipelines are archived.

CREATE TABLE leadline.lead_places (
    lead uuid PRIMARY KEY,
    contact uuid NOT NULL,
    pipeline text NOT NULL,
    number int NOT NULL,
    stage text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('open', 'won', 'lost', 'postponed', 'merged')),
    returns_to text,
    erased boolean NOT NULL DEFAULT false
) WITH (fillfactor = 70);
CREATE INDEX lead_places_contact ON leadline.lead_places (contact);
COMMENT ON TABLE leadline.lead_places IS 'Where each lead stands and under which version, written with its events. kind merged: it went into another lead; returns_to: the open stage it left for an outcome; erased: its person was, nothing more is done with it.';

CREATE TABLE leadline.archived_pipelines (pipeline text PRIMARY KEY, archived_at timestamptz NOT NULL);
COMMENT ON TABLE leadline.archived_pipelines IS 'Pipelines that take no leads; the event PipelineArchived says the same.';

-- What there is already, from the events. `entered`: all stage visits, with the kind of the one before.
WITH captured AS (
    SELECT originator_id AS lead, convert_from(state, 'UTF8')::json AS record
    FROM leadline.events WHERE topic = 'leadline.lead.captured'
), entered AS (
    SELECT originator_id AS lead, originator_version AS version, r ->> 'stage' AS stage, r ->> 'kind' AS kind,
           lag(r ->> 'stage') OVER w AS stage_before, lag(r ->> 'kind') OVER w AS kind_before
    FROM leadline.events CROSS JOIN LATERAL (SELECT convert_from(state, 'UTF8')::json -> 'data' AS r) AS d
    WHERE topic = 'leadline.lead.stage_entered'
    WINDOW w AS (PARTITION BY originator_id ORDER BY originator_version)
), now_in AS (
    SELECT DISTINCT ON (lead) lead, stage, kind FROM entered ORDER BY lead, version DESC
), left_open AS (
    SELECT DISTINCT ON (lead) lead, stage_before AS stage FROM entered
    WHERE kind <> 'open' AND kind_before = 'open' ORDER BY lead, version DESC
)
INSERT INTO leadline.lead_places (lead, contact, pipeline, number, stage, kind, returns_to, erased)
SELECT c.lead, (c.record -> 'data' ->> 'contact')::uuid, c.record -> 'data' ->> 'pipeline',
       coalesce(substring(c.record -> 'meta' ->> 'pipeline' FROM '@([0-9]+)$')::int, 1), n.stage, n.kind, l.stage,
       EXISTS (SELECT FROM leadline.events AS e WHERE e.originator_id = (c.record -> 'data' ->> 'contact')::uuid
               AND e.topic = 'leadline.contact.person_erased')
FROM captured AS c JOIN now_in AS n USING (lead) LEFT JOIN left_open AS l USING (lead);
