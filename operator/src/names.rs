//! Names that are known to be valid, and the names of a server's children. One place, so that
//! nobody spells a child's name twice.

use std::fmt;

/// The longest name of a GrytServer: `<name>-signaling-<10>-<5>` is then a pod name of 63.
pub const MAX_SERVER_NAME: usize = 36;

/// What the name of the Secret with a server's CA begins with, in the operator's namespace.
pub(crate) const AUTHORITY_PREFIX: &str = "ca-";

/// The name of that Secret.
#[must_use]
pub fn authority(server_id: &str) -> String {
    format!("{AUTHORITY_PREFIX}{server_id}")
}

/// The name of the Secret with what is kept of a server's back ends, in the operator's namespace.
#[must_use]
pub fn backends(server_id: &str) -> String {
    format!("backends-{server_id}")
}

/// A text that is no name of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a {kind}")]
pub struct InvalidName {
    kind: &'static str,
    text: String,
}

impl InvalidName {
    fn new(kind: &'static str, text: &str) -> Self {
        let text = text.chars().take(64).collect();
        Self { kind, text }
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// Borrows the text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let check: fn(&str) -> bool = $check;
                if check(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidName::new($kind, text))
                }
            }
        }
    };
}

name!(
    /// The name of a GrytServer: a DNS label (RFC 1035) of at most 36 characters.
    ServerName,
    "name of a GrytServer",
    |text| text.len() <= MAX_SERVER_NAME
        && is_label(text)
        && text.starts_with(|c: char| c.is_ascii_lowercase())
);
name!(
    /// The name of a namespace: a DNS label (RFC 1123).
    Namespace,
    "name of a namespace",
    is_label
);
name!(
    /// The name of a Secret, a Gateway, a class: a DNS subdomain (RFC 1123) as the API server
    /// understands it, that is, with parts of any length. Only such a text may become a part of a
    /// URL: in any other, a `?` or a `/` would ask for something else.
    ObjectName,
    "name of an object",
    |text| text.len() <= 253 && text.split('.').all(is_part)
);
name!(
    /// A host name in small letters with at least one dot, no closing dot.
    Hostname,
    "host name",
    |text| text.contains('.')
        && is_subdomain(text)
        && text
            .rsplit('.')
            .next()
            .is_some_and(|last| last.starts_with(|c: char| c.is_ascii_lowercase()))
);

impl Hostname {
    /// Whether the name is `suffix` itself or lies below it.
    #[must_use]
    pub fn is_under(&self, suffix: &str) -> bool {
        self.0
            .strip_suffix(suffix)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    /// The part before the first dot.
    #[must_use]
    pub fn first_label(&self) -> &str {
        self.0.split('.').next().unwrap_or(&self.0)
    }
}

/// The children's names.
impl ServerName {
    /// Deployment, Service, ServiceAccount, PDB and NetworkPolicy of the signaling.
    #[must_use]
    pub fn signaling(&self) -> String {
        format!("{self}-signaling")
    }

    /// ServiceAccount, PDB and NetworkPolicy of the SFUs.
    #[must_use]
    pub fn sfu(&self) -> String {
        format!("{self}-sfu")
    }

    /// Deployment and gRPC Service of one SFU slot.
    #[must_use]
    pub fn sfu_slot(&self, slot: i32) -> String {
        format!("{self}-sfu-{slot}")
    }

    /// Media Service of one SFU slot.
    #[must_use]
    pub fn sfu_media(&self, slot: i32) -> String {
        format!("{self}-sfu-{slot}-media")
    }

    /// PersistentVolumeClaim.
    #[must_use]
    pub fn data(&self) -> String {
        format!("{self}-data")
    }

    /// Secret with the owner's invite.
    #[must_use]
    pub fn owner(&self) -> String {
        format!("{self}-owner")
    }

    /// Secret with the signaling's mTLS leaf.
    #[must_use]
    pub fn signaling_tls(&self) -> String {
        format!("{self}-signaling-tls")
    }

    /// Secret with the SFU's mTLS leaf.
    #[must_use]
    pub fn sfu_tls(&self) -> String {
        format!("{self}-sfu-tls")
    }

    /// Secret with the certificate that browsers see, where the tenant names none.
    #[must_use]
    pub fn web_tls(&self) -> String {
        format!("{self}-web-tls")
    }

    /// Secret with the signaling's sign-in to the back ends.
    #[must_use]
    pub fn backends(&self) -> String {
        format!("{self}-backends")
    }

    /// ConfigMap with the nodes' external addresses.
    #[must_use]
    pub fn nodes(&self) -> String {
        format!("{self}-nodes")
    }

    /// HTTPRoute or Ingress.
    #[must_use]
    pub fn web(&self) -> String {
        self.to_string()
    }
}

fn is_label(text: &str) -> bool {
    text.len() <= 63 && is_part(text)
}

fn is_part(text: &str) -> bool {
    let inner = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-');
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

/// Texts that would make another URL than that of one object, and some more.
#[cfg(test)]
pub(crate) const NOT_NAMES: [&str; 14] = [
    "",
    "?watch=true&x=",
    "a?watch=true",
    "a/b",
    "../pods",
    "..",
    ".",
    "a..b",
    "a%2fb",
    "a b",
    "a#b",
    "Capital",
    "a_b",
    "-a",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_server_name_keeps_its_pod_names_within_63() {
        let name: ServerName = "a".repeat(MAX_SERVER_NAME).parse().unwrap();
        let pod = format!("{}-0123456789-abcde", name.signaling());
        assert_eq!(pod.len(), 63);
        let sfu = format!(
            "{}-0123456789-abcde",
            name.sfu_slot(crate::crd::MAX_SFUS - 1)
        );
        assert!(sfu.len() <= 63, "{sfu}");
        assert!(
            "a".repeat(MAX_SERVER_NAME + 1)
                .parse::<ServerName>()
                .is_err()
        );
    }

    #[test]
    fn names_are_dns_names() {
        for good in ["a", "a-1", "team-a"] {
            assert!(good.parse::<ServerName>().is_ok(), "{good}");
        }
        for bad in ["", "1a", "-a", "a-", "A", "a.b", "a_b", "ä"] {
            assert!(bad.parse::<ServerName>().is_err(), "{bad}");
        }
        for good in [
            "chat.example.org",
            "a.b",
            "1.2.3.4.nip.io",
            "xn--bcher-kva.example",
        ] {
            assert!(good.parse::<Hostname>().is_ok(), "{good}");
        }
        for bad in [
            "localhost",
            "1.2.3.4",
            "a..b",
            "a.b.",
            ".a.b",
            "A.b",
            "*.a.b",
            "a.b:80",
        ] {
            assert!(bad.parse::<Hostname>().is_err(), "{bad}");
        }
    }

    #[test]
    fn names_of_objects_are_what_the_api_server_takes() {
        let long = "a".repeat(253);
        for good in ["a", "1", "tls-1", "chat.example.org", long.as_str()] {
            assert!(good.parse::<ObjectName>().is_ok(), "{good}");
        }
        let too_long = "a".repeat(254);
        for bad in NOT_NAMES.into_iter().chain([too_long.as_str()]) {
            assert!(bad.parse::<ObjectName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_suffix_ends_at_a_dot() {
        let name: Hostname = "chat.example.org".parse().unwrap();
        assert!(name.is_under("example.org"));
        assert!(name.is_under("chat.example.org"));
        assert!(!name.is_under("ample.org"));
        assert!(!name.is_under("other.org"));
    }
}
