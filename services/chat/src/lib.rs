//! Chat of one server: a draft becomes a text to keep, or a refusal. Knows no socket, no clock, no
//! database.
//!
//! The rules are functions over what the shell looked up; the only state is [`Limits`]. `now` is an
//! argument.
//!
//! Order: a session's sends are handled one after another, the next only once the store answered
//! the one before, and the store gives rising ids. So a sender's messages stand in the order in
//! which one session sent them, and all readers see one order, that of the ids. Between two
//! sessions of one member, the order is the one in which the store took them.

mod compose;
mod files;
mod limits;
mod refusal;

pub use compose::{Draft, compose, erase, read, revise};
pub use files::{
    BEGINNING_BYTES, FileDraft, Showing, UploadedFile, WAITS, admit, inspect, is_orphan, showing,
};
pub use limits::{Act, Limits, Rate};
pub use refusal::Refusal;
