//! Voice rooms of one server: who is in which room, on which node. Knows no socket, no clock, no database.
