//! The conditions of a status: their types, and how a list follows the one before it.

#[cfg(test)]
mod tests;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

/// The positive summary: people can talk.
pub const READY: &str = "Ready";
/// kstatus: work is going on. Present only while true.
pub const RECONCILING: &str = "Reconciling";
/// kstatus: only somebody's action brings it on. Present only while true.
pub const STALLED: &str = "Stalled";
/// Browsers get a certificate.
pub const TLS_READY: &str = "TLSReady";
/// The volume is there.
pub const STORAGE_READY: &str = "StorageReady";
/// The database is prepared, and signaling reaches it.
pub const DATABASE_READY: &str = "DatabaseReady";
/// The same of Redis.
pub const BUS_READY: &str = "BusReady";
/// The signaling pods serve.
pub const SIGNALING_AVAILABLE: &str = "SignalingAvailable";
/// The SFU pods serve.
pub const MEDIA_AVAILABLE: &str = "MediaAvailable";
/// The media address answers a probe.
pub const MEDIA_REACHABLE: &str = "MediaReachable";

/// Three-valued truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    True,
    False,
    Unknown,
}

impl Truth {
    fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// A condition without its times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) type_: &'static str,
    pub(crate) truth: Truth,
    pub(crate) reason: String,
    pub(crate) message: String,
}

impl Draft {
    pub(crate) fn new(
        type_: &'static str,
        truth: Truth,
        reason: &str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            type_,
            truth,
            reason: reason_of(reason),
            message: shorten(message.into()),
        }
    }

    /// The same finding under another type.
    pub(crate) fn as_type(&self, type_: &'static str, truth: Truth) -> Self {
        Self {
            type_,
            truth,
            reason: self.reason.clone(),
            message: self.message.clone(),
        }
    }

    /// Dates the draft: the time of the last transition moves only when the truth does.
    fn dated(self, previous: &[Condition], generation: i64, now: Timestamp) -> Condition {
        let status = self.truth.as_str();
        let last = find(previous, self.type_).filter(|last| last.status == status);
        Condition {
            last_transition_time: last.map_or_else(
                || Time(whole_second(now)),
                |last| last.last_transition_time.clone(),
            ),
            message: self.message,
            observed_generation: Some(generation),
            reason: self.reason,
            status: status.to_owned(),
            type_: self.type_.to_owned(),
        }
    }
}

/// The condition of this type.
#[must_use]
pub fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// The list of conditions that follows `previous`, in the order of the drafts.
pub(crate) fn follow(
    previous: &[Condition],
    drafts: Vec<Draft>,
    generation: i64,
    now: Timestamp,
) -> Vec<Condition> {
    drafts
        .into_iter()
        .map(|draft| draft.dated(previous, generation, now))
        .collect()
}

/// Kubernetes stores whole seconds: a finer time would differ from its own echo.
fn whole_second(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// The API server refuses reasons that aren't words, and some come from kubelets and schedulers.
fn reason_of(text: &str) -> String {
    const LONGEST: usize = 64;
    let word: String = text
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
        .skip_while(|c| !c.is_ascii_alphabetic())
        .take(LONGEST)
        .collect();
    let word = word.trim_end_matches('_');
    if word.is_empty() { "Unknown" } else { word }.to_owned()
}

/// The API server refuses messages above 32768 characters; nobody reads past the first lines.
fn shorten(mut text: String) -> String {
    const LONGEST_BYTES: usize = 1024;
    if text.len() > LONGEST_BYTES {
        text.truncate(text.floor_char_boundary(LONGEST_BYTES));
        text.push('…');
    }
    text
}
