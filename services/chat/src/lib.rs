//! Chat of one server: a draft becomes a message or a refusal. Knows no socket, no clock, no database.
