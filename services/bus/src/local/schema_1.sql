CREATE TABLE log (
    only  INTEGER PRIMARY KEY CHECK (only = 1),
    epoch TEXT NOT NULL
) STRICT;

CREATE TABLE events (
    id       INTEGER PRIMARY KEY,
    audience TEXT NOT NULL,
    event    BLOB NOT NULL
) STRICT;
