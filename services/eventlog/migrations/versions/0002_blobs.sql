-- Mail (K5): blobs of raw messages, and which letters were taken from which mailbox.

CREATE TABLE leadline.blobs (
    id uuid PRIMARY KEY,
    inbound_id uuid NOT NULL REFERENCES leadline.intake (id),
    size bigint NOT NULL CHECK (size >= 0),
    pieces int NOT NULL CHECK (pieces >= 1),
    hash bytea NOT NULL CHECK (length(hash) = 32)
);
CREATE INDEX blobs_inbound ON leadline.blobs (inbound_id);
COMMENT ON TABLE leadline.blobs IS 'Original letters and attachments, sealed under the key of their message (vault.keys, id inbound_id); hash is keyed.';

CREATE TABLE leadline.blob_pieces (
    blob uuid NOT NULL REFERENCES leadline.blobs (id),
    number int NOT NULL CHECK (number >= 0),
    ciphertext bytea NOT NULL,
    PRIMARY KEY (blob, number)
);
ALTER TABLE leadline.blob_pieces ALTER COLUMN ciphertext SET STORAGE EXTERNAL;
COMMENT ON TABLE leadline.blob_pieces IS 'Blobs in pieces of 1 MB, from 0; sealed, so never worth compressing.';

CREATE TABLE leadline.mailbox_letters (
    mailbox text NOT NULL,
    uid_validity bigint NOT NULL,
    uid bigint NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('kept', 'repeated', 'refused', 'skipped')),
    inbound_id uuid REFERENCES leadline.intake (id),
    at timestamptz NOT NULL,
    PRIMARY KEY (mailbox, uid_validity, uid),
    CHECK ((outcome IN ('kept', 'repeated')) = (inbound_id IS NOT NULL))
);
COMMENT ON TABLE leadline.mailbox_letters IS 'Letters seen in mailboxes by IMAP, written with the message they became; refused: our own coming back; skipped: there before the first look.';
