-- The incident journals, one row each: to list them is to read them, not the whole event store (Q6).

CREATE INDEX events_journals ON leadline.events (recorded_at, originator_id)
    WHERE kind = 'incident' AND originator_version = 1;
