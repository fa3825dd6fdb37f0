-- All doors open: every channel's outcomes and identities, what messages can be named by, refused requests (K5, C3, C9).

ALTER TABLE leadline.identities DROP CONSTRAINT identities_kind_check;
ALTER TABLE leadline.identities ADD CONSTRAINT identities_kind_check
    CHECK (kind IN ('phone', 'email', 'messenger', 'visitor'));

ALTER TABLE leadline.inbound_outcomes DROP CONSTRAINT inbound_outcomes_outcome_check;
ALTER TABLE leadline.inbound_outcomes ADD CONSTRAINT inbound_outcomes_outcome_check
    CHECK (outcome IN ('accepted', 'joined', 'no_lead', 'quarantined'));
CREATE INDEX inbound_outcomes_received ON leadline.inbound_outcomes (received_at);
CREATE INDEX inbound_outcomes_channel ON leadline.inbound_outcomes (channel, at, inbound_id);

CREATE TABLE leadline.inbound_references (
    hmac bytea PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('call', 'letter', 'copy', 'thread', 'line')),
    inbound_id uuid NOT NULL,
    contact uuid,
    lead uuid
);
CREATE INDEX inbound_references_contact ON leadline.inbound_references (contact) WHERE contact IS NOT NULL;
COMMENT ON TABLE leadline.inbound_references IS 'What a later message can name an earlier one by (a call''s id, a letter''s), by HMAC, and where that one went. lead null: to none, or its person was erased.';

CREATE TABLE leadline.refused_requests (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    minute timestamptz NOT NULL,
    channel text NOT NULL,
    account text NOT NULL,
    reason text NOT NULL,
    requests bigint NOT NULL CHECK (requests > 0),
    largest bigint NOT NULL,
    last_at timestamptz NOT NULL,
    UNIQUE (minute, channel, account, reason)
);
CREATE INDEX refused_requests_at ON leadline.refused_requests (last_at, id);
COMMENT ON TABLE leadline.refused_requests IS 'Inbound requests that were refused at the door, counted by minute and reason, without their bodies; kept 90 days. account: the token''s name, empty where there was none.';
