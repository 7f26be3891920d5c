//! What is done to a server's data in its back ends before it starts, after an upgrade and at its end.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use gryt_bus::redis::{RedisConfig, user_name};
use gryt_model::ServerId;
use gryt_runtime::{LogFormat, Secret};
use gryt_store::cql::{Credentials, Password, Replication, Settings};

use super::back_ends::{BackEndError, Cql, Redis};
use super::named_file::secret;

/// Whose data, and who does it.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("back ends").required(true).multiple(true)
    .args(["cql_contact_points", "redis_url"]))]
pub struct Administration {
    /// Id of the server.
    #[arg(long, env = "GRYT_SIGNALING_SERVER_ID")]
    pub server_id: ServerId,

    /// Where the database is.
    #[command(flatten)]
    pub cql: Cql,

    /// Role that may make keyspaces, tables and roles. Left out: the database asks nobody.
    #[arg(
        long,
        env = "GRYT_SIGNALING_CQL_ADMIN_ROLE",
        requires = "cql_admin_password_file"
    )]
    pub cql_admin_role: Option<String>,

    /// File with that role's password.
    #[arg(
        long,
        env = "GRYT_SIGNALING_CQL_ADMIN_PASSWORD_FILE",
        requires = "cql_admin_role"
    )]
    pub cql_admin_password_file: Option<PathBuf>,

    /// Where Redis is.
    #[command(flatten)]
    pub redis: Redis,

    /// User that may make users, and delete keys. Left out: Redis asks nobody.
    #[arg(
        long,
        env = "GRYT_SIGNALING_REDIS_ADMIN_USER",
        requires = "redis_admin_password_file"
    )]
    pub redis_admin_user: Option<String>,

    /// File with that user's password.
    #[arg(
        long,
        env = "GRYT_SIGNALING_REDIS_ADMIN_PASSWORD_FILE",
        requires = "redis_admin_user"
    )]
    pub redis_admin_password_file: Option<PathBuf>,

    /// What is logged, as in `info,gryt_store=debug`.
    #[arg(long, env = "GRYT_SIGNALING_LOG", default_value = "info")]
    pub log: String,

    /// How a log line looks: auto, text or json.
    #[arg(long, env = "GRYT_SIGNALING_LOG_FORMAT", default_value = "auto")]
    pub log_format: LogFormat,
}

/// What a new server gets.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("database").args(["cql_contact_points"])
    .requires("cql_replication"))]
pub struct ProvisionCommand {
    /// Whose data, and who does it.
    #[command(flatten)]
    pub administration: Administration,

    /// Copies in each data center: `dc1:3,dc2:3`. Those of a keyspace that exists stay as they are.
    /// Needed with a database.
    #[arg(
        long,
        env = "GRYT_SIGNALING_CQL_REPLICATION",
        requires = "cql_contact_points"
    )]
    pub cql_replication: Option<Replication>,
}

impl Administration {
    /// How the administrator reaches the database; `None` if there is none.
    ///
    /// # Errors
    /// A file that is of no use.
    pub fn database(&self) -> Result<Option<Settings>, BackEndError> {
        if self.cql.cql_contact_points.is_empty() {
            return Ok(None);
        }
        let credentials = match (&self.cql_admin_role, &self.cql_admin_password_file) {
            (Some(role), Some(file)) => Some(Credentials {
                role: role.as_str().into(),
                password: Password::new(secret(file)?.expose()),
            }),
            (None, _) | (_, None) => None,
        };
        self.cql.settings(credentials).map(Some)
    }

    /// How the administrator reaches Redis; `None` if there is none.
    ///
    /// # Errors
    /// A line or a file that is of no use.
    pub fn redis(&self) -> Result<Option<RedisConfig>, BackEndError> {
        let config = self.redis.described()?;
        Ok(
            match (&self.redis_admin_user, &self.redis_admin_password_file) {
                (Some(user), Some(file)) => {
                    secret(file)?;
                    config.map(|config| config.signing_in(user, file.clone()))
                }
                (None, _) | (_, None) => config,
            },
        )
    }

    /// The secret of the server's own user of Redis; `None` if Redis asks nobody.
    ///
    /// # Errors
    /// A line that means another user, or a file that is of no use.
    pub fn redis_password(&self) -> Result<Option<Secret>, BackEndError> {
        let Some(file) = &self.redis.redis_password_file else {
            return Ok(None);
        };
        let described = self.redis.described()?;
        if described.is_some_and(|config| config.user().is_some()) {
            return Err(BackEndError::UserInUrl(user_name(&self.server_id)));
        }
        Ok(Some(secret(file)?))
    }
}
