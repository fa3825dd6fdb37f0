-- What the incidents service has told: each silent channel, digest, card review and heap of dead letters once (D6, Q11, N18).

CREATE TABLE leadline.incidents_told (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL
);
COMMENT ON TABLE leadline.incidents_told IS 'Ids of incidents, digests and card reviews that were sent as commands: each is sent once. They follow from what they are about.';
