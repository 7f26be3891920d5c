//! The ports in the addresses of back ends, for the roads that policies open to them. What a process
//! makes of an address is the process's own; here only what no reading of it could use is refused.

use std::collections::BTreeSet;

const REDIS: i32 = 6379;
const SENTINEL: i32 = 26379;
const CQL: i32 = 9042;

/// Where the processes of this Redis may listen. Sentinels and clusters name processes that the
/// address doesn't: those have the usual port or one of the named ones.
pub(super) fn redis_ports(url: &str) -> Option<BTreeSet<i32>> {
    let (scheme, rest) = url.split_once("://")?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let default = match scheme {
        "redis" | "rediss" => REDIS,
        "redis+cluster" | "rediss+cluster" => REDIS,
        "redis+sentinel" | "rediss+sentinel" if !path.is_empty() => SENTINEL,
        _ => return None,
    };
    let hosts = authority.split(',').map(|host| port(host, default));
    let mut ports: BTreeSet<i32> = hosts.collect::<Option<_>>()?;
    if scheme.contains('+') {
        ports.insert(REDIS);
    } else if authority.contains(',') {
        return None;
    }
    Some(ports)
}

/// Where the node of the database listens.
pub(super) fn cql_port(contact_point: &str) -> Option<i32> {
    port(contact_point, CQL)
}

/// Where a web server listens.
pub(super) fn web_port(url: &str) -> Option<i32> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split('/').next()?;
    let default = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    port(authority, default)
}

/// Of `host`, `host:port`, `[ipv6]` or `[ipv6]:port`.
fn port(authority: &str, default: i32) -> Option<i32> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => match authority.find(':') {
            Some(colon) => authority.split_at(colon),
            None => (authority, ""),
        },
    };
    if host.is_empty() {
        return None;
    }
    let Some(port) = port.strip_prefix(':') else {
        return port.is_empty().then_some(default);
    };
    let port: u16 = port.parse().ok()?;
    (port > 0).then(|| port.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_from_what_is_named() {
        for (url, expected) in [
            ("redis://a", Some(vec![6379])),
            ("rediss://a:6380/1", Some(vec![6380])),
            ("redis://[fd00::1]:6380", Some(vec![6380])),
            (
                "redis+sentinel://a,b:26380/main",
                Some(vec![6379, 26379, 26380]),
            ),
            (
                "redis+cluster://a:7000,b:7001",
                Some(vec![6379, 7000, 7001]),
            ),
            ("redis+sentinel://a", None),
            ("redis://a,b", None),
            ("redis://a:0", None),
            ("redis://a:70000", None),
            ("redis://:6379", None),
            ("http://a", None),
            ("a:6379", None),
        ] {
            let expected = expected.map(|ports| ports.into_iter().collect());
            assert_eq!(redis_ports(url), expected, "{url}");
        }
        assert_eq!(cql_port("db-1.example.org"), Some(9042));
        assert_eq!(cql_port("[fd00::1]:9142"), Some(9142));
        assert_eq!(cql_port("[fd00::1"), None);
        assert_eq!(web_port("https://id.example.org/realms/a"), Some(443));
        assert_eq!(web_port("http://id:8080"), Some(8080));
        assert_eq!(web_port("ftp://id"), None);
    }
}
