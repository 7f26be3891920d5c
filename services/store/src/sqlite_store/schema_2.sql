-- As `attachments.rs` writes it.
ALTER TABLE messages ADD COLUMN attachments TEXT;

-- Which messages have a file, also ones that were deleted since.
CREATE TABLE files (
    file       TEXT NOT NULL,
    channel    TEXT NOT NULL,
    message_id INTEGER NOT NULL,
    PRIMARY KEY (file, channel, message_id)
) STRICT, WITHOUT ROWID;
