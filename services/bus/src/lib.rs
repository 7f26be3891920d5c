//! Fan-out of events to the sessions of one server: in process.
