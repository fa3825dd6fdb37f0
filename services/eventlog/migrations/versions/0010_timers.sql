-- Timers of the robots (decision 8; N1, N2, N7): one row for each robot that is armed and not closed yet. All of it follows from
-- the events but what was sent, and can be made anew: leadline rebuild timers.

CREATE TABLE leadline.timers (
    timer uuid PRIMARY KEY,
    stream uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('lead', 'deal')),
    pipeline text NOT NULL,
    robot text NOT NULL,
    due_at timestamptz NOT NULL,
    armed_version bigint NOT NULL,
    correlation text NOT NULL,
    autodepth int NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent')),
    attempts int NOT NULL DEFAULT 0,
    sent_at timestamptz,
    lease_until timestamptz,
    sent_partition int,
    sent_offset bigint,
    CHECK ((state = 'sent') = (sent_at IS NOT NULL AND lease_until IS NOT NULL))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX timers_due ON leadline.timers (due_at, timer) WHERE state = 'pending';
CREATE INDEX timers_lease ON leadline.timers (lease_until) WHERE state = 'sent';
CREATE INDEX timers_sent ON leadline.timers (sent_at) WHERE state = 'sent';
CREATE INDEX timers_stream ON leadline.timers (stream);
COMMENT ON TABLE leadline.timers IS 'Robots that are armed and not closed yet, by timer. A closing event (ran, skipped, cancelled, failed) removes the row. Holds nothing personal.';
COMMENT ON COLUMN leadline.timers.stream IS 'The lead or deal.';
COMMENT ON COLUMN leadline.timers.due_at IS 'The instant that the arming event names, in business time (a practice system''s own clock). Never computed again.';
COMMENT ON COLUMN leadline.timers.armed_version IS 'Version of the arming event on its stream: stream-armed_version is its id, the cause of the command.';
COMMENT ON COLUMN leadline.timers.correlation IS 'Of the arming event, handed on with the command, as is autodepth.';
COMMENT ON COLUMN leadline.timers.state IS 'pending: waits for its instant, or to be sent again. sent: the command is on leads.commands, its outcome has not come.';
COMMENT ON COLUMN leadline.timers.attempts IS 'Commands sent so far. The command of attempt N has the id uuid5(timer, ''fire:N'').';
COMMENT ON COLUMN leadline.timers.sent_at IS 'When the last command was sent, in the world''s time (as is lease_until, until when its outcome is waited for).';
COMMENT ON COLUMN leadline.timers.sent_offset IS 'Where on leads.commands, with sent_partition, the last command stands: what is not read yet is not sent again.';

CREATE TABLE leadline.timer_counts (
    kind text NOT NULL,
    pipeline text NOT NULL,
    robot text NOT NULL,
    armed bigint NOT NULL DEFAULT 0,
    ran bigint NOT NULL DEFAULT 0,
    skipped bigint NOT NULL DEFAULT 0,
    cancelled bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (kind, pipeline, robot)
) WITH (fillfactor = 50);
COMMENT ON TABLE leadline.timer_counts IS 'By robot: timers armed and closed, written with the rows of leadline.timers: armed = ran + skipped + cancelled + failed + rows there, always (N2).';

CREATE TABLE leadline.timer_builds (
    live int PRIMARY KEY
);
INSERT INTO leadline.timer_builds (live) VALUES (1);
COMMENT ON TABLE leadline.timer_builds IS 'The build of the robots service that writes and fires timers: one row. Who writes or fires holds it FOR SHARE, a rebuild FOR UPDATE.';
