CREATE TABLE server (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    id   TEXT NOT NULL,
    name TEXT NOT NULL
) STRICT;

CREATE TABLE members (
    id           TEXT PRIMARY KEY NOT NULL,
    issuer       TEXT NOT NULL,
    subject      TEXT NOT NULL,
    name         TEXT NOT NULL,
    role         TEXT NOT NULL,
    server_muted INTEGER NOT NULL,
    UNIQUE (issuer, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE channels (
    id            TEXT PRIMARY KEY NOT NULL,
    name          TEXT NOT NULL,
    kind          TEXT NOT NULL,
    position      INTEGER NOT NULL,
    audible_limit INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Clustered by channel and id, so that a page of history is one run of leaves. The row of a
-- deleted message stays without its text: ids never go back, and a late retry finds its nonce.
CREATE TABLE messages (
    channel       TEXT NOT NULL REFERENCES channels (id) ON DELETE CASCADE,
    id            INTEGER NOT NULL,
    author        TEXT NOT NULL REFERENCES members (id),
    text          TEXT,
    nonce         TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    edited_at_ms  INTEGER,
    PRIMARY KEY (channel, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE nonces (
    author       TEXT NOT NULL,
    nonce        TEXT NOT NULL,
    channel      TEXT NOT NULL,
    message_id   INTEGER NOT NULL,
    payload_hash BLOB NOT NULL,
    unix_ms      INTEGER NOT NULL,
    PRIMARY KEY (author, nonce)
) STRICT, WITHOUT ROWID;

CREATE INDEX nonces_by_age ON nonces (unix_ms);
