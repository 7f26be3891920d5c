//! Every binary's start: tracing, health, metrics, signals, secrets.
