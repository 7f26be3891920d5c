//! Where Redis is and how to sign in there, as a platform team writes it.

use std::path::PathBuf;
use std::str::FromStr;

use redis::{Client, ConnectionAddr, IntoConnectionInfo as _, TlsCertificates};

use super::session::Broken;
use super::sign_in::{Password, SignIn};

/// Where a server's Redis is. Parsed from one line, in the manner of a URL:
///
/// | deployment | line |
/// |---|---|
/// | one Redis | `redis://user:password@host:6379` |
/// | Sentinel | `redis+sentinel://user:password@sentinel-1:26379,sentinel-2:26379/mymaster` |
/// | Cluster | `redis+cluster://user:password@node-1:6379,node-2:6379` |
///
/// With `rediss` in place of `redis` all connections, also those to sentinels, use TLS, verified
/// against [`RedisConfig::with_ca`] or else the public authorities. User and password may be left
/// out, percent-encoded, or come from a secret file by [`RedisConfig::signing_in`]. Ports may be
/// left out: 6379, for sentinels 26379. One Redis and Sentinel take a database number as the last
/// part of the path (`/1`, `/mymaster/1`). Sentinels have a sign-in of their own:
/// [`RedisConfig::signing_in_to_sentinels`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisConfig {
    pub(super) deployment: Deployment,
    /// The nodes or sentinels named, at least one.
    pub(super) hosts: Vec<Host>,
    pub(super) sign_in: SignIn,
    pub(super) sentinel_sign_in: SignIn,
    pub(super) database: i64,
    pub(super) tls: Option<Tls>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deployment {
    Single,
    Sentinel { master: String },
    Cluster,
}

/// A host name or address, IPv6 without brackets, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) name: String,
    pub(super) port: u16,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tls {
    /// PEM.
    pub(super) ca: Option<Vec<u8>>,
}

/// A line that names no Redis. What it says is never repeated: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRedisConfig {
    /// It begins with something else.
    #[error(
        "must begin with redis://, redis+sentinel://, redis+cluster:// or the same with rediss"
    )]
    Scheme,
    /// A host or port cannot be read.
    #[error("must name hosts as name:port with commas between")]
    Host,
    /// User or password are not percent-encoded UTF-8.
    #[error("user or password are not percent-encoded")]
    SignIn,
    /// The path does not fit: a master's name for Sentinel, a database number, nothing for Cluster.
    #[error(
        "must end in a database number, in a sentinel's master name, or in nothing for a cluster"
    )]
    Path,
    /// The authorities are no PEM certificates, or the line says no TLS.
    #[error("the CA bundle is no PEM, or the line does not begin with rediss")]
    Ca,
}

impl RedisConfig {
    /// Signs in as this user, whatever the line says, with the password that this file holds whenever
    /// a connection is made.
    #[must_use]
    pub fn signing_in(mut self, user: &str, password_file: PathBuf) -> Self {
        self.sign_in = SignIn {
            user: Some(user.to_owned()),
            password: Some(Password::File(password_file)),
        };
        self
    }

    /// Signs in to the sentinels, too, in the same way; without a user as their default one.
    #[must_use]
    pub fn signing_in_to_sentinels(mut self, user: Option<&str>, password_file: PathBuf) -> Self {
        self.sentinel_sign_in = SignIn {
            user: user.map(str::to_owned),
            password: Some(Password::File(password_file)),
        };
        self
    }

    /// The user that the line names.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.sign_in.user.as_deref()
    }

    /// Who we are to those who know the nodes.
    pub(super) fn sign_in_to_ask(&self) -> &SignIn {
        match &self.deployment {
            Deployment::Sentinel { .. } => &self.sentinel_sign_in,
            Deployment::Single | Deployment::Cluster => &self.sign_in,
        }
    }

    /// Trusts these authorities alone. `pem`: one or more certificates.
    ///
    /// # Errors
    /// [`InvalidRedisConfig::Ca`] if it is no PEM or there is no TLS.
    pub fn with_ca(mut self, pem: &[u8]) -> Result<Self, InvalidRedisConfig> {
        let tls = self.tls.as_mut().ok_or(InvalidRedisConfig::Ca)?;
        tls.ca = Some(pem.to_vec());
        let has_certificate = String::from_utf8_lossy(pem).contains("BEGIN CERTIFICATE");
        if !has_certificate || self.client(&self.hosts[0], &SignIn::default()).is_err() {
            return Err(InvalidRedisConfig::Ca);
        }
        Ok(self)
    }

    /// A client for one of the nodes or sentinels.
    pub(super) fn client(&self, host: &Host, sign_in: &SignIn) -> Result<Client, Broken> {
        let Host { name, port } = host.clone();
        let address = match &self.tls {
            None => ConnectionAddr::Tcp(name, port),
            Some(_) => ConnectionAddr::TcpTls {
                host: name,
                port,
                insecure: false,
                tls_params: None,
            },
        };
        let mut settings = redis::RedisConnectionInfo::default()
            .set_protocol(redis::ProtocolVersion::RESP3)
            .set_skip_set_lib_name();
        if let Some(user) = &sign_in.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &sign_in.password {
            settings = settings.set_password(password.read()?.as_ref());
        }
        let info = address.into_connection_info()?.set_redis_settings(settings);
        if self.tls.is_some() {
            // Redis's client takes the process's own. It fails if there is one already.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let client = match &self.tls {
            Some(Tls { ca: Some(ca) }) => Client::build_with_tls(
                info,
                TlsCertificates {
                    client_tls: None,
                    root_cert: Some(ca.clone()),
                },
            ),
            Some(Tls { ca: None }) | None => Client::open(info),
        };
        Ok(client?)
    }
}

impl FromStr for RedisConfig {
    type Err = InvalidRedisConfig;

    fn from_str(line: &str) -> Result<Self, InvalidRedisConfig> {
        let (scheme, rest) = line.split_once("://").ok_or(InvalidRedisConfig::Scheme)?;
        let (security, kind) = scheme.split_once('+').unwrap_or((scheme, ""));
        let tls = match security {
            "redis" => None,
            "rediss" => Some(Tls::default()),
            _ => return Err(InvalidRedisConfig::Scheme),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (sign_in, hosts) = match authority.rsplit_once('@') {
            Some((sign_in, hosts)) => (read_sign_in(sign_in)?, hosts),
            None => (SignIn::default(), authority),
        };
        let (deployment, port, database) = match kind {
            "" => (Deployment::Single, 6379, path),
            "cluster" => (Deployment::Cluster, 6379, path),
            "sentinel" => {
                let (master, database) = path.split_once('/').unwrap_or((path, ""));
                let master = decoded(master).map_err(|_| InvalidRedisConfig::Path)?;
                (Deployment::Sentinel { master }, 26379, database)
            }
            _ => return Err(InvalidRedisConfig::Scheme),
        };
        let nameless = matches!(&deployment, Deployment::Sentinel { master } if master.is_empty());
        let in_cluster = deployment == Deployment::Cluster;
        if nameless || (in_cluster && !database.is_empty()) {
            return Err(InvalidRedisConfig::Path);
        }
        let hosts: Vec<Host> = hosts
            .split(',')
            .map(|host| read_host(host, port))
            .collect::<Result<_, _>>()?;
        if deployment == Deployment::Single && hosts.len() > 1 {
            return Err(InvalidRedisConfig::Host);
        }
        let database = match database {
            "" => 0,
            digits => digits
                .parse::<u16>()
                .map_err(|_| InvalidRedisConfig::Path)?
                .into(),
        };
        Ok(Self {
            deployment,
            hosts,
            sign_in,
            sentinel_sign_in: SignIn::default(),
            database,
            tls,
        })
    }
}

fn read_sign_in(text: &str) -> Result<SignIn, InvalidRedisConfig> {
    let (user, password) = match text.split_once(':') {
        Some((user, password)) => (user, Some(Password::Text(decoded(password)?))),
        None => (text, None),
    };
    let user = Some(decoded(user)?).filter(|user| !user.is_empty());
    Ok(SignIn { user, password })
}

fn decoded(text: &str) -> Result<String, InvalidRedisConfig> {
    percent_encoding::percent_decode_str(text)
        .decode_utf8()
        .map(Into::into)
        .map_err(|_| InvalidRedisConfig::SignIn)
}

/// Reads `name`, `name:port`, `[ipv6]` or `[ipv6]:port`.
fn read_host(text: &str, default_port: u16) -> Result<Host, InvalidRedisConfig> {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (name, rest) = rest.split_once(']').ok_or(InvalidRedisConfig::Host)?;
            (
                name,
                if rest.is_empty() {
                    Some("")
                } else {
                    rest.strip_prefix(':')
                },
            )
        }
        None => match text.split_once(':') {
            Some((name, port)) => (name, Some(port).filter(|port| !port.is_empty())),
            None => (text, Some("")),
        },
    };
    let port = match port.ok_or(InvalidRedisConfig::Host)? {
        "" => default_port,
        port => port.parse().map_err(|_| InvalidRedisConfig::Host)?,
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
    if name.is_empty() || port == 0 || !name.bytes().all(is_name) {
        return Err(InvalidRedisConfig::Host);
    }
    Ok(Host {
        name: name.to_owned(),
        port,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> RedisConfig {
        line.parse().unwrap()
    }

    fn host(name: &str, port: u16) -> Host {
        Host {
            name: name.into(),
            port,
        }
    }

    #[test]
    fn lines_of_every_deployment_are_read() {
        let single = parsed("redis://ada:p%40ss@cache.example:6380/2");
        assert_eq!(single.deployment, Deployment::Single);
        assert_eq!(single.hosts, [host("cache.example", 6380)]);
        assert_eq!(single.sign_in.user.as_deref(), Some("ada"));
        assert_eq!(single.sign_in.password, Some(Password::Text("p@ss".into())));
        assert_eq!(single.database, 2);
        assert_eq!(single.tls, None);

        let sentinel = parsed("rediss+sentinel://:secret@s1,s2:26380,[fd00::1]:26381/mymaster/1");
        let master = "mymaster".to_owned();
        assert_eq!(sentinel.deployment, Deployment::Sentinel { master });
        let hosts = [host("s1", 26379), host("s2", 26380), host("fd00::1", 26381)];
        assert_eq!(sentinel.hosts, hosts);
        assert_eq!(sentinel.sign_in.user, None);
        assert_eq!(sentinel.database, 1);
        assert_eq!(sentinel.tls, Some(Tls::default()));

        let cluster = parsed("redis+cluster://a:1,b:2");
        assert_eq!(cluster.deployment, Deployment::Cluster);
        assert_eq!(cluster.hosts, [host("a", 1), host("b", 2)]);
    }

    #[test]
    fn lines_that_name_no_redis_are_refused_by_what_is_wrong() {
        use InvalidRedisConfig::{Host, Path, Scheme, SignIn};
        for (line, reason) in [
            ("", Scheme),
            ("cache.example:6379", Scheme),
            ("http://cache.example", Scheme),
            ("redis+sentinels://a/m", Scheme),
            ("redis://", Host),
            ("redis://a:b:c", Host),
            ("redis://a:99999", Host),
            ("redis://a:0", Host),
            ("redis://a,b", Host),
            ("redis+cluster://a,,b", Host),
            ("redis+cluster://[::1", Host),
            ("redis://us er@a b", Host),
            ("redis://%ff:x@a", SignIn),
            ("redis://a/first", Path),
            ("redis://a/-1", Path),
            ("redis+sentinel://a", Path),
            ("redis+sentinel:///m", Host),
            ("redis+cluster://a/1", Path),
        ] {
            assert_eq!(line.parse::<RedisConfig>(), Err(reason), "{line}");
        }
    }

    #[test]
    fn secrets_are_read_whenever_they_are_needed_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        let config = parsed("redis://ada:tops3cret@a");
        assert!(!format!("{config:?}").contains("tops3cret"));
        let config = config.signing_in("bo", file.clone());
        assert_eq!(config.user(), Some("bo"));
        let password = config.sign_in.password.unwrap();
        let missing = password.read().unwrap_err().to_string();
        assert!(missing.contains(&file.display().to_string()), "{missing}");
        for text in ["first", "second"] {
            std::fs::write(&file, format!("{text}\n")).unwrap();
            assert_eq!(password.read().unwrap(), text);
        }
    }

    #[test]
    fn authorities_need_tls_and_pem() {
        let ca = InvalidRedisConfig::Ca;
        assert_eq!(parsed("redis://a").with_ca(b"x"), Err(ca));
        assert_eq!(parsed("rediss://a").with_ca(b"x"), Err(ca));
    }
}
