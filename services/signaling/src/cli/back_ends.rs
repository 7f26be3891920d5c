//! Where data and events are, when not in the server's own folder. Secrets come from files.

use std::path::PathBuf;

use clap::Args;
use gryt_bus::redis::{InvalidRedisConfig, RedisConfig, user_name};
use gryt_model::ServerId;
use gryt_store::cql::{
    self, Authorities, ContactPoint, Credentials, Isolation, Keyspace, Password, Settings,
    role_name,
};

use super::named_file::{NamedFileError, authorities, secret};

/// Redis, for events and presence between the processes of one server.
#[derive(Debug, Clone, Default, Args)]
pub struct Redis {
    /// Redis: `redis://host:6379`, `redis+sentinel://a:26379,b:26379/master` or
    /// `redis+cluster://a:6379,b:6379`, with `rediss` for TLS. No password in it. With `user@` before
    /// the hosts another user is meant than the server's own.
    /// Left out: events stay in this process.
    #[arg(long, env = "GRYT_SIGNALING_REDIS_URL")]
    pub redis_url: Option<String>,

    /// File with the password of the server's user `gryt_<server id>`, read again for every
    /// connection. Left out: Redis asks nobody who they are.
    #[arg(
        long,
        env = "GRYT_SIGNALING_REDIS_PASSWORD_FILE",
        requires = "redis_url"
    )]
    pub redis_password_file: Option<PathBuf>,

    /// File with the password of the sentinels, where they ask for one.
    #[arg(
        long,
        env = "GRYT_SIGNALING_REDIS_SENTINEL_PASSWORD_FILE",
        requires = "redis_url"
    )]
    pub redis_sentinel_password_file: Option<PathBuf>,

    /// User of the sentinels. Left out: their default user.
    #[arg(
        long,
        env = "GRYT_SIGNALING_REDIS_SENTINEL_USER",
        requires = "redis_sentinel_password_file"
    )]
    pub redis_sentinel_user: Option<String>,

    /// File with the authorities of Redis's certificates, PEM. Left out: the public ones.
    #[arg(long, env = "GRYT_SIGNALING_REDIS_CA_FILE", requires = "redis_url")]
    pub redis_ca_file: Option<PathBuf>,
}

/// A CQL database: ScyllaDB or Cassandra.
#[derive(Debug, Clone, Default, Args)]
pub struct Cql {
    /// Nodes of the database to begin with: `host`, `host:port` or `[ipv6]:port`, commas between.
    /// Left out: messages and members stay in the folder.
    #[arg(long, env = "GRYT_SIGNALING_CQL_CONTACT_POINTS", value_delimiter = ',')]
    pub cql_contact_points: Vec<ContactPoint>,

    /// Data center whose nodes are asked and whose quorum decides; the same one in all processes.
    /// Left out: a quorum of all data centers.
    #[arg(
        long,
        env = "GRYT_SIGNALING_CQL_DATACENTER",
        requires = "cql_contact_points"
    )]
    pub cql_datacenter: Option<String>,

    /// Keyspace that this server shares with others. Left out: one of its own, `gryt_<server id>`.
    #[arg(
        long,
        env = "GRYT_SIGNALING_CQL_KEYSPACE",
        requires = "cql_contact_points"
    )]
    pub cql_keyspace: Option<Keyspace>,

    /// File with the authorities of the database's certificates, PEM. With it all connections are
    /// TLS.
    #[arg(
        long,
        env = "GRYT_SIGNALING_CQL_CA_FILE",
        requires = "cql_contact_points"
    )]
    pub cql_ca_file: Option<PathBuf>,

    /// File with the password of the server's role `gryt_<server id>`, read again for every
    /// connection. Left out: the database asks nobody who they are.
    #[arg(
        long,
        env = "GRYT_SIGNALING_CQL_PASSWORD_FILE",
        requires = "cql_contact_points"
    )]
    pub cql_password_file: Option<PathBuf>,
}

/// A back end is not described so that it could ever be used.
#[derive(Debug, thiserror::Error)]
pub enum BackEndError {
    /// The line names no Redis.
    #[error("read GRYT_SIGNALING_REDIS_URL (--redis-url)")]
    RedisUrl(#[source] InvalidRedisConfig),
    /// Other processes can read flags and environment.
    #[error(
        "GRYT_SIGNALING_REDIS_URL (--redis-url) holds a password: put it into a file and name that \
         by GRYT_SIGNALING_REDIS_PASSWORD_FILE"
    )]
    PasswordInUrl,
    /// A file that is named is of no use.
    #[error("read what a back end needs")]
    File(#[from] NamedFileError),
    /// A server's own user is made, and no other one.
    #[error(
        "GRYT_SIGNALING_REDIS_URL (--redis-url) names a user, but the one that is made is \"{0}\": \
         leave the user out"
    )]
    UserInUrl(String),
    /// Redis cannot use the authorities.
    #[error("use the authorities of Redis")]
    RedisAuthorities(#[source] InvalidRedisConfig),
    /// The database's driver cannot use the authorities.
    #[error("use the authorities of the database")]
    CqlAuthorities(#[source] cql::Error),
}

impl Redis {
    /// How the server's own processes reach Redis; `None` if there is none.
    ///
    /// # Errors
    /// A line or a file that is of no use.
    pub fn place(&self, server: &ServerId) -> Result<Option<RedisConfig>, BackEndError> {
        let Some(config) = self.described()? else {
            return Ok(None);
        };
        let Some(file) = &self.redis_password_file else {
            return Ok(Some(config));
        };
        // Whoever starts us is to know at once that there is none.
        secret(file)?;
        let user = config
            .user()
            .map_or_else(|| user_name(server), str::to_owned);
        Ok(Some(config.signing_in(&user, file.clone())))
    }

    /// Where Redis is, before anybody signs in there; `None` if there is none.
    ///
    /// # Errors
    /// A line or a file that is of no use.
    pub fn described(&self) -> Result<Option<RedisConfig>, BackEndError> {
        let Self {
            redis_url,
            redis_password_file: _,
            redis_sentinel_password_file,
            redis_sentinel_user,
            redis_ca_file,
        } = self;
        let Some(line) = redis_url else {
            return Ok(None);
        };
        if has_password(line) {
            return Err(BackEndError::PasswordInUrl);
        }
        let mut config: RedisConfig = line.parse().map_err(BackEndError::RedisUrl)?;
        if let Some(file) = redis_sentinel_password_file {
            secret(file)?;
            let user = redis_sentinel_user.as_deref();
            config = config.signing_in_to_sentinels(user, file.clone());
        }
        if let Some(file) = redis_ca_file {
            let pem = authorities(file)?;
            config = config
                .with_ca(&pem)
                .map_err(BackEndError::RedisAuthorities)?;
        }
        Ok(Some(config))
    }
}

impl Cql {
    /// How the server's own processes reach the database; `None` if there is none.
    ///
    /// # Errors
    /// A file that is of no use.
    pub fn place(&self, server: &ServerId) -> Result<Option<Settings>, BackEndError> {
        if self.cql_contact_points.is_empty() {
            return Ok(None);
        }
        // Whoever starts us is to know at once that there is none.
        self.password()?;
        let file = self.cql_password_file.clone();
        let credentials = file.map(|file| Credentials {
            role: role_name(server),
            password: Password::in_file(file),
        });
        self.settings(credentials).map(Some)
    }

    /// How somebody else reaches the database.
    ///
    /// # Errors
    /// A file that is of no use.
    pub fn settings(&self, credentials: Option<Credentials>) -> Result<Settings, BackEndError> {
        let authorities = match &self.cql_ca_file {
            Some(file) => {
                let pem = authorities(file)?;
                Some(Authorities::from_pem(&pem).map_err(BackEndError::CqlAuthorities)?)
            }
            None => None,
        };
        Ok(Settings {
            contact_points: self.cql_contact_points.clone(),
            local_datacenter: self.cql_datacenter.as_deref().map(Into::into),
            credentials,
            authorities,
        })
    }

    /// The secret of the server's role, as it is now.
    ///
    /// # Errors
    /// A file that is of no use.
    pub fn password(&self) -> Result<Option<Password>, BackEndError> {
        let file = self.cql_password_file.as_deref();
        let read = file.map(secret).transpose()?;
        Ok(read.map(|secret| Password::new(secret.expose())))
    }

    /// How the server is kept apart from others.
    #[must_use]
    pub fn isolation(&self) -> Isolation {
        match &self.cql_keyspace {
            Some(keyspace) => Isolation::Shared(keyspace.clone()),
            None => Isolation::Keyspace,
        }
    }
}

fn has_password(line: &str) -> bool {
    let authority = line.split_once("://").map_or(line, |(_, rest)| rest);
    let sign_in = authority.rsplit_once('@').map(|(sign_in, _)| sign_in);
    sign_in.is_some_and(|sign_in| sign_in.contains(':'))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn redis(line: &str) -> Redis {
        Redis {
            redis_url: Some(line.to_owned()),
            ..Redis::default()
        }
    }

    #[test]
    fn no_line_means_no_redis_and_no_nodes_mean_no_database() {
        let server = ServerId::from_random([1; 16]);
        assert_eq!(Redis::default().place(&server).unwrap(), None);
        assert!(Cql::default().place(&server).unwrap().is_none());
    }

    #[test]
    fn password_in_the_line_is_refused_and_never_repeated() {
        for line in ["redis://ada:tops3cret@a", "redis+cluster://:tops3cret@a,b"] {
            let error = redis(line).described().unwrap_err();
            assert!(matches!(error, BackEndError::PasswordInUrl), "{line}");
            assert!(!error.to_string().contains("tops3cret"));
        }
        assert!(redis("redis://ada@a:6379/1").described().unwrap().is_some());
    }

    #[test]
    fn server_signs_in_as_its_own_user_unless_the_line_names_another() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        std::fs::write(&file, "tops3cret").unwrap();
        let server = ServerId::from_random([1; 16]);
        let user_of = |line: &str, file: Option<&PathBuf>| {
            let redis = Redis {
                redis_password_file: file.cloned(),
                ..redis(line)
            };
            let config = redis.place(&server).unwrap().unwrap();
            config.user().map(str::to_owned)
        };
        assert_eq!(user_of("redis://a", None), None);
        assert_eq!(user_of("redis://a", Some(&file)), Some(user_name(&server)));
        let ada = Some("ada".to_owned());
        assert_eq!(user_of("redis://ada@a", Some(&file)), ada);
    }

    #[test]
    fn bad_values_are_refused_by_what_is_wrong() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("missing");
        let junk = dir.path().join("junk");
        std::fs::write(&junk, "junk").unwrap();
        let server = ServerId::from_random([1; 16]);
        let error = redis("http://a").place(&server).unwrap_err();
        assert!(matches!(error, BackEndError::RedisUrl(_)));

        let with_password = Redis {
            redis_password_file: Some(missing.clone()),
            ..redis("redis://a")
        };
        let error = with_password.place(&server).unwrap_err();
        assert!(matches!(
            error,
            BackEndError::File(NamedFileError::Secret(_))
        ));

        let with_ca = Redis {
            redis_ca_file: Some(junk.clone()),
            ..redis("rediss://a")
        };
        let error = with_ca.place(&server).unwrap_err();
        assert!(matches!(error, BackEndError::RedisAuthorities(_)));

        let database = |ca: &Path| Cql {
            cql_contact_points: vec!["a".parse().unwrap()],
            cql_ca_file: Some(ca.to_owned()),
            ..Cql::default()
        };
        let error = database(&missing).place(&server).unwrap_err();
        assert!(matches!(
            error,
            BackEndError::File(NamedFileError::Authorities { .. })
        ));
        let error = database(&junk).place(&server).unwrap_err();
        assert!(matches!(error, BackEndError::CqlAuthorities(_)));
    }
}
