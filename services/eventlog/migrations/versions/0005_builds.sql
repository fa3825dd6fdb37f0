-- Builds of the projections: which one readers see, which are being made or kept (M8, decision 11).

CREATE TABLE leadline.live_builds (
    projection text PRIMARY KEY,
    build int NOT NULL
);
COMMENT ON TABLE leadline.live_builds IS 'The build of each projection that readers see and that the live consumer writes. Who writes rows holds its row FOR SHARE, a swap FOR UPDATE.';

CREATE TABLE leadline.builds (
    projection text NOT NULL,
    build int NOT NULL,
    status text NOT NULL CHECK (status IN ('building', 'refused', 'live', 'kept')),
    fingerprint text NOT NULL,
    upto uuid,
    filled boolean NOT NULL DEFAULT false,
    seen_build int,
    events bigint NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL DEFAULT now(),
    live_at timestamptz,
    left_at timestamptz,
    report jsonb,
    PRIMARY KEY (projection, build)
);
COMMENT ON TABLE leadline.builds IS 'Every build there is. upto: filled up to this stream; seen_build: under which number leadline.seen (consumer rebuild-PROJECTION) says what it holds, empty while it is live; fingerprint: of the tables'' text.';

INSERT INTO leadline.builds (projection, build, status, fingerprint, filled, live_at)
SELECT substring(nspname FROM '^proj_(.*)_1$'), 1, 'live', '', true, now() FROM pg_namespace WHERE nspname ~ '^proj_.*_1$';
INSERT INTO leadline.live_builds (projection, build) SELECT projection, build FROM leadline.builds;
