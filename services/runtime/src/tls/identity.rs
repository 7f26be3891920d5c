//! The name in a certificate that says which process of which server it belongs to.

use std::fmt;

/// A process of ours that proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// `gryt-signaling`.
    Signaling,
    /// `gryt-sfu`.
    Sfu,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signaling => "signaling",
            Self::Sfu => "sfu",
        })
    }
}

/// The DNS name that the certificate of `part` of this server carries: `sfu.<server id>.gryt`.
#[must_use]
pub fn identity(part: Part, server_id: &str) -> String {
    format!("{part}.{server_id}.gryt")
}

/// The server id in a name that [`identity`] made for `part`.
pub(super) fn server_in(name: &str, part: Part) -> Option<&str> {
    name.strip_prefix(&part.to_string())?
        .strip_prefix('.')?
        .strip_suffix(".gryt")
        .filter(|server| !server.is_empty() && !server.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_is_read_from_names_of_its_own_part_only() {
        let name = identity(Part::Sfu, "abc");
        assert_eq!(name, "sfu.abc.gryt");
        assert_eq!(server_in(&name, Part::Sfu), Some("abc"));
        assert_eq!(server_in(&name, Part::Signaling), None);
        for other in [
            "sfu.gryt",
            "sfu..gryt",
            "sfu.a.b.gryt",
            "sfuabc.gryt",
            "sfu.abc.svc",
        ] {
            assert_eq!(server_in(other, Part::Sfu), None, "{other}");
        }
    }
}
