-- Which message an event tells of; NULL for events of other things and those of version 1.
ALTER TABLE events ADD COLUMN message INTEGER;

CREATE INDEX events_of_messages ON events (message) WHERE message IS NOT NULL;
