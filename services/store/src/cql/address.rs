//! Where the database is.

use std::fmt;
use std::str::FromStr;

const DEFAULT_PORT: u16 = 9042;

/// A node to begin with; the others are learned from it. `host`, `host:port` or `[ipv6]:port`, port
/// 9042 if none is named. A host name is asked for again whenever no known node answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactPoint {
    host: Box<str>,
    port: u16,
}

/// A text that is no contact point.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a contact point: host, host:port or [ipv6]:port")]
pub struct InvalidAddress(String);

impl FromStr for ContactPoint {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let invalid = || InvalidAddress(text.to_owned());
        let (host, port) = match text.rsplit_once(':') {
            // An IPv6 address has colons of its own: its port is told by the bracket before it.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, port.parse().map_err(|_| invalid())?)
            }
            Some(_) | None => (text, DEFAULT_PORT),
        };
        let bare = host
            .strip_prefix('[')
            .map_or(Some(host), |inner| inner.strip_suffix(']'))
            .ok_or_else(invalid)?;
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b':' | b'_');
        if bare.is_empty() || port == 0 || !bare.bytes().all(allowed) {
            return Err(invalid());
        }
        Ok(Self {
            host: bare.into(),
            port,
        })
    }
}

impl fmt::Display for ContactPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ContactPoint;

    #[test]
    fn contact_points_are_read_with_and_without_port() {
        for (text, expected) in [
            ("db", "db:9042"),
            ("db.example:19042", "db.example:19042"),
            ("10.0.0.1", "10.0.0.1:9042"),
            ("::1", "[::1]:9042"),
            ("[::1]", "[::1]:9042"),
            ("[::1]:9142", "[::1]:9142"),
        ] {
            let point: ContactPoint = text.parse().unwrap();
            assert_eq!(point.to_string(), expected, "{text}");
        }
        for text in [
            "", ":9042", "db:", "db:0", "db:70000", "a b", "[::1", "db/x",
        ] {
            assert!(text.parse::<ContactPoint>().is_err(), "{text}");
        }
    }
}
