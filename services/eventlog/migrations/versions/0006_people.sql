-- People: whose every lead is, and which contacts were found to be one person (C3, N15, N16, P4).

CREATE TABLE leadline.person_leads (
    lead uuid PRIMARY KEY,
    contact uuid NOT NULL,
    pipeline text NOT NULL,
    captured_at timestamptz NOT NULL
);
CREATE INDEX person_leads_contact ON leadline.person_leads (contact, captured_at DESC, lead);
COMMENT ON TABLE leadline.person_leads IS 'Every lead, the contact and the pipeline it was captured for. Written with the lead; never changed.';

INSERT INTO leadline.person_leads (lead, contact, pipeline, captured_at)
SELECT originator_id, (record -> 'data' ->> 'contact')::uuid, record -> 'data' ->> 'pipeline',
       (record -> 'meta' ->> 'happened_at')::timestamptz
FROM leadline.events, LATERAL (SELECT convert_from(state, 'UTF8')::jsonb AS record) AS r
WHERE kind = 'lead' AND originator_version = 1;

CREATE TABLE leadline.merged_contacts (
    contact uuid PRIMARY KEY,
    into_contact uuid NOT NULL,
    head uuid NOT NULL,
    CHECK (contact <> into_contact AND contact <> head)
);
CREATE INDEX merged_contacts_head ON leadline.merged_contacts (head);
COMMENT ON TABLE leadline.merged_contacts IS 'Contacts that were merged into another, and the one that goes on for them at the end of the chain (N16).';
