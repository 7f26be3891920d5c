//! Forwards RTP between the participants of rooms. Knows no socket, no clock, no signaling.
//!
//! # The contract
//! A [`Node`] is plain state. The shell makes one call that feeds it (`seat`, `answer`, …,
//! `handle_datagram`, `handle_timeout`), then drains `poll_output` until it is empty and
//! `poll_event` likewise, then sleeps until `poll_timeout` or the next input. `now` is an
//! argument and never runs backwards; randomness is a seed given at the start. Nothing a remote
//! sends can make it panic.
