-- The spine: event store, commands, claims, outbox, positions, parked records, intake, keys, tokens (K1-K6).
-- Every table says what it is for in its comment; projections have schemas of their own and are not migrated.

CREATE SCHEMA leadline;
COMMENT ON SCHEMA leadline IS 'Write side of Leadline. Read the views in schema bi instead: these tables may change.';

CREATE TABLE leadline.events (
    originator_id uuid NOT NULL,
    originator_version bigint NOT NULL CHECK (originator_version >= 1),
    topic text NOT NULL,
    state bytea NOT NULL,
    kind text NOT NULL,
    recorded_at timestamptz NOT NULL,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    PRIMARY KEY (originator_id, originator_version)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.5, autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX events_recorded_at ON leadline.events USING brin (recorded_at);
COMMENT ON TABLE leadline.events IS 'The event store: each lead action once, for ever. state is what the digest covers and Kafka carries, byte for byte.';

CREATE TABLE leadline.commands (
    id uuid PRIMARY KEY,
    stream uuid NOT NULL,
    body_hash bytea NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('done', 'refused', 'parked')),
    rule_ids text[] NOT NULL DEFAULT '{}',
    refusal jsonb,
    first_version bigint,
    last_version bigint,
    by_person boolean NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX commands_stream ON leadline.commands (stream, at) WHERE outcome <> 'done';
CREATE INDEX commands_of_people ON leadline.commands (at) WHERE by_person;
COMMENT ON TABLE leadline.commands IS 'What became of each command; a repeat gets the stored answer. Those of people are kept 90 days, of machines for ever.';

CREATE TABLE leadline.identities (
    hmac bytea PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('phone', 'email')),
    contact uuid NOT NULL,
    shared boolean NOT NULL DEFAULT false
);
CREATE INDEX identities_contact ON leadline.identities (contact);
COMMENT ON TABLE leadline.identities IS 'One owner per identity, looked up by HMAC; a shared one never joins by itself (C3).';

CREATE TABLE leadline.open_leads (
    contact uuid NOT NULL,
    pipeline text NOT NULL,
    lead uuid NOT NULL UNIQUE,
    PRIMARY KEY (contact, pipeline)
);
COMMENT ON TABLE leadline.open_leads IS 'One open lead per person and pipeline (C3): opening claims, closing frees.';

CREATE TABLE leadline.turns (pipeline text PRIMARY KEY, next bigint NOT NULL);
COMMENT ON TABLE leadline.turns IS 'Whose turn it is to get the next lead of a pipeline (C4); the event LeadAssigned says the turn taken.';

CREATE TABLE leadline.outbox (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    key text NOT NULL,
    stream uuid NOT NULL,
    version bigint NOT NULL,
    headers jsonb,
    value bytea
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE leadline.outbox IS 'What must still reach Kafka. value null: the event (stream, version) of the store; its headers come from its envelope.';

CREATE TABLE leadline.relay_positions (
    topic text NOT NULL,
    partition int NOT NULL,
    next_offset bigint NOT NULL,
    last_id text NOT NULL,
    PRIMARY KEY (topic, partition)
);
COMMENT ON TABLE leadline.relay_positions IS 'Up to where each partition is known to be on the broker''s disk; written with the deletion of outbox rows.';

CREATE TABLE leadline.refusals (
    command uuid PRIMARY KEY,
    key text NOT NULL,
    headers jsonb NOT NULL,
    value bytea NOT NULL
);
COMMENT ON TABLE leadline.refusals IS 'What was published on leads.refusals, byte for byte: the relay compares and republishes from it.';

CREATE TABLE leadline.positions (
    consumer text NOT NULL,
    build int NOT NULL,
    topic text NOT NULL,
    partition int NOT NULL,
    next_offset bigint NOT NULL,
    witness bytea NOT NULL,
    PRIMARY KEY (consumer, build, topic, partition)
);
COMMENT ON TABLE leadline.positions IS 'Input positions, moved in the transaction of the effects; witness: digest of the last record taken.';

CREATE TABLE leadline.witnesses (
    consumer text NOT NULL,
    build int NOT NULL,
    topic text NOT NULL,
    partition int NOT NULL,
    next_offset bigint NOT NULL,
    witness bytea NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (consumer, build, topic, partition, next_offset)
);
COMMENT ON TABLE leadline.witnesses IS 'The last 20 positions, a minute apart: where to go back to when a log was cut short.';

CREATE TABLE leadline.seen (
    consumer text NOT NULL,
    build int NOT NULL,
    stream uuid NOT NULL,
    version bigint NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (consumer, build, stream)
) WITH (fillfactor = 70);
COMMENT ON TABLE leadline.seen IS 'Per consumer and stream: the last version applied and its digest; repeats, gaps and forks are told by it.';

CREATE TABLE leadline.parked (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer text NOT NULL,
    build int NOT NULL,
    stream uuid,
    version bigint,
    topic text NOT NULL,
    partition int NOT NULL,
    "offset" bigint NOT NULL,
    key bytea,
    headers jsonb NOT NULL,
    value bytea,
    reason text NOT NULL,
    detail text NOT NULL,
    timestamp_ms bigint NOT NULL,
    at timestamptz NOT NULL,
    released_at timestamptz,
    UNIQUE (consumer, build, topic, partition, "offset")
);
CREATE INDEX parked_streams ON leadline.parked (consumer, build, stream, version);
CREATE INDEX parked_released ON leadline.parked (consumer, build) WHERE released_at IS NOT NULL;
COMMENT ON TABLE leadline.parked IS 'Records that could not be applied (poison, gap, fork, after_parked). released_at: the consumer is asked to try again; it deletes what it applied.';

CREATE TABLE leadline.intake (
    id uuid PRIMARY KEY,
    channel text NOT NULL,
    account text NOT NULL,
    idempotency_key text,
    body_hash bytea NOT NULL,
    received_at timestamptz NOT NULL,
    occurred_at timestamptz,
    actor jsonb NOT NULL,
    ciphertext bytea NOT NULL,
    attempt int NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX intake_idempotency ON leadline.intake (channel, account, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX intake_received_at ON leadline.intake (received_at, id);
COMMENT ON TABLE leadline.intake IS 'Every message as it came in, sealed under a key of its own (vault.keys, same id), before anyone interprets it.';

CREATE TABLE leadline.intake_mends (
    inbound_id uuid NOT NULL REFERENCES leadline.intake (id),
    attempt int NOT NULL,
    ciphertext bytea NOT NULL,
    actor jsonb NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (inbound_id, attempt)
);
COMMENT ON TABLE leadline.intake_mends IS 'Each body that was replaced by mending it, as it was until that attempt (1: as received), who replaced it and when. intake.ciphertext is always the body in force.';

CREATE TABLE leadline.inbound_outcomes (
    inbound_id uuid PRIMARY KEY,
    attempt int NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('accepted', 'joined', 'quarantined')),
    reason text,
    lead uuid,
    contact uuid,
    channel text NOT NULL,
    account text NOT NULL,
    received_at timestamptz NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX inbound_outcomes_at ON leadline.inbound_outcomes (at, inbound_id);
COMMENT ON TABLE leadline.inbound_outcomes IS 'What the aggregate service made of each inbound message, with the reason (K5, N18).';

CREATE TABLE leadline.pipeline_versions (
    pipeline text NOT NULL,
    number int NOT NULL,
    source text NOT NULL,
    sha256 text NOT NULL,
    published_at timestamptz NOT NULL,
    PRIMARY KEY (pipeline, number)
);
COMMENT ON TABLE leadline.pipeline_versions IS 'Every version of every pipeline ever in force, as YAML.';

CREATE TABLE leadline.tokens (
    hash bytea PRIMARY KEY,
    name text NOT NULL,
    role text NOT NULL CHECK (role IN ('seller', 'head', 'ops', 'auditor', 'adapter')),
    made_at timestamptz NOT NULL,
    revoked_at timestamptz
);
COMMENT ON TABLE leadline.tokens IS 'API tokens, by SHA-256; the token itself is shown once and stored nowhere.';

CREATE TABLE leadline.clock (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    practice_now timestamptz NOT NULL
);
COMMENT ON TABLE leadline.clock IS 'A practice system''s clock; empty in a real one.';

CREATE TABLE leadline.notices (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    service text NOT NULL,
    severity text NOT NULL CHECK (severity IN ('info', 'warning', 'error')),
    code text NOT NULL,
    detail text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    cleared_at timestamptz
);
CREATE INDEX notices_open ON leadline.notices (at) WHERE cleared_at IS NULL;
COMMENT ON TABLE leadline.notices IS 'What the operations page shows: a log cut short, a relay that refuses, a stopped consumer. No personal data.';

CREATE SCHEMA vault;
COMMENT ON SCHEMA vault IS 'Keys apart from the data they open. Back it up apart: a backup of both undoes an erasure.';

CREATE TABLE vault.keys (
    id uuid PRIMARY KEY,
    purpose text NOT NULL CHECK (purpose IN ('person', 'message')),
    wrapped bytea,
    person uuid,
    destroyed_at timestamptz,
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
);
CREATE INDEX keys_person ON vault.keys (person) WHERE person IS NOT NULL;
COMMENT ON TABLE vault.keys IS 'A key per person and per raw message, wrapped by the master key; destroyed ones stay as a tombstone (M7).';
