//! Requests that are good for a short time, for whoever holds them.

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::disposition::Disposition;

/// A request that a browser may carry out. Holding it is the right to do so, so it is never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedRequest {
    /// `PUT` or `GET`.
    pub method: &'static str,
    /// Absolute, or a path on the server's own origin.
    pub url: String,
    /// Headers that must be sent just so; the size of the body is signed as well.
    pub headers: Vec<(String, String)>,
}

impl fmt::Debug for SignedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedRequest({} ..)", self.method)
    }
}

/// When a signature is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// From this moment on.
    pub from: SystemTime,
    /// For so long, in whole seconds; S3 knows at most 7 days.
    pub lasts: Duration,
}

impl Validity {
    /// The moment after which it is refused.
    #[must_use]
    pub fn until(self) -> SystemTime {
        self.from + self.lasts
    }
}

/// How a blob is to be answered to a browser. Decided by us and signed: nothing that an uploader
/// said reaches a browser's sniffing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The type it is shown as.
    pub content_type: Box<str>,
    /// Whether it may be shown in place, and what it is saved as.
    pub disposition: Disposition,
}
