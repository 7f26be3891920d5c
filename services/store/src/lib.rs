//! Messages, members and the event log on disk: SQLite.
