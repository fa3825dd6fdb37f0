-- The delivery service's ledger (decision 9, R2-R4): what was requested of the outside, what was tried, what came of it.

CREATE TABLE leadline.effects (
    effect uuid PRIMARY KEY,
    stream uuid NOT NULL,
    kind text NOT NULL,
    version bigint NOT NULL CHECK (version >= 1),
    effect_kind text NOT NULL CHECK (effect_kind IN ('email', 'sms', 'audience', 'webhook', 'notice')),
    provider text NOT NULL,
    correlation text NOT NULL,
    audience text,
    action text CHECK (action IN ('add', 'remove')),
    robot text,
    requested_at timestamptz NOT NULL,
    opened_at timestamptz NOT NULL,
    round int NOT NULL DEFAULT 0 CHECK (round >= 0),
    repeated_version bigint,
    report uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'working', 'answered', 'done', 'failed', 'closed')),
    attempts int NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_at timestamptz NOT NULL,
    lease_until timestamptz,
    in_doubt boolean NOT NULL DEFAULT false,
    last_reason text,
    outcome text CHECK (outcome IN ('done', 'failed')),
    provider_id text,
    matched int,
    closed_at timestamptz,
    reported_at timestamptz,
    reports int NOT NULL DEFAULT 0,
    CHECK (state <> 'working' OR lease_until IS NOT NULL),
    CHECK (state NOT IN ('answered', 'done', 'failed') OR outcome IS NOT NULL)
) WITH (fillfactor = 70);
CREATE INDEX effects_due ON leadline.effects (provider, next_at, effect) WHERE state = 'waiting';
CREATE INDEX effects_leased ON leadline.effects (provider, lease_until) WHERE state = 'working';
CREATE INDEX effects_unreported ON leadline.effects (reported_at) WHERE state = 'answered';
CREATE INDEX effects_open ON leadline.effects (requested_at, effect) WHERE state IN ('waiting', 'working', 'answered');
CREATE INDEX effects_failed ON leadline.effects (closed_at, effect) WHERE state = 'failed';
CREATE INDEX effects_doubtful ON leadline.effects (requested_at, effect) WHERE in_doubt;
CREATE INDEX effects_stream ON leadline.effects (stream, version);
CREATE UNIQUE INDEX effects_report ON leadline.effects (report);
COMMENT ON TABLE leadline.effects IS 'One row per outward effect, by its id; nothing personal: what is sent stands in the event (stream, version), the addresses of a repeat in repeated_version. Closed by the events EffectDone and EffectFailed. next_at, opened_at: business time; lease_until, reported_at: this server''s.';
COMMENT ON COLUMN leadline.effects.state IS 'waiting; working: a call is under way, or was when its worker died (lease_until); answered: the outcome is known and reported, the event not read back yet; done, failed: the event says so; closed: the report was refused.';
COMMENT ON COLUMN leadline.effects.in_doubt IS 'It may have gone out more than once, or gone out although it failed: the answer to a try was lost.';

CREATE TABLE leadline.effect_providers (
    provider text PRIMARY KEY,
    configured boolean NOT NULL,
    paused_until timestamptz,
    pause_reason text,
    failures int NOT NULL DEFAULT 0,
    per_minute int,
    tokens double precision,
    tokens_at double precision
);
COMMENT ON TABLE leadline.effect_providers IS 'Ways out: whether one is configured, until when (business time) nothing goes there and why, and its token bucket (tokens_at: seconds since 1970, this server''s clock).';

CREATE TABLE leadline.effect_refusals (
    report uuid PRIMARY KEY,
    rules text[] NOT NULL,
    at timestamptz NOT NULL
);
COMMENT ON TABLE leadline.effect_refusals IS 'Reports that the aggregate service refused for good (leads.refusals): their effects are closed without an event.';
