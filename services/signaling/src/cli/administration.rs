//! What is done to a server's data in the database before it starts, after an upgrade and at its end.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use gryt_model::ServerId;
use gryt_runtime::LogFormat;
use gryt_store::cql::{Credentials, Password, Replication, Settings};

use super::back_ends::{BackEndError, Cql, Redis, read};

/// Whose data, and who does it.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("database").required(true).args(["cql_contact_points"]))]
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

    /// What is logged, as in `info,gryt_store=debug`.
    #[arg(long, env = "GRYT_SIGNALING_LOG", default_value = "info")]
    pub log: String,

    /// How a log line looks: auto, text or json.
    #[arg(long, env = "GRYT_SIGNALING_LOG_FORMAT", default_value = "auto")]
    pub log_format: LogFormat,
}

/// What a new server gets.
#[derive(Debug, Clone, Args)]
pub struct ProvisionCommand {
    /// Whose data, and who does it.
    #[command(flatten)]
    pub administration: Administration,

    /// Copies in each data center: `dc1:3,dc2:3`. Those of a keyspace that exists stay as they are.
    #[arg(long, env = "GRYT_SIGNALING_CQL_REPLICATION")]
    pub cql_replication: Replication,
}

/// What a server leaves.
#[derive(Debug, Clone, Args)]
pub struct PurgeCommand {
    /// Whose data, and who does it.
    #[command(flatten)]
    pub administration: Administration,

    /// Where its events are.
    #[command(flatten)]
    pub redis: Redis,
}

impl Administration {
    /// How the administrator reaches the database.
    ///
    /// # Errors
    /// A file that is of no use.
    pub fn settings(&self) -> Result<Settings, BackEndError> {
        let credentials = match (&self.cql_admin_role, &self.cql_admin_password_file) {
            (Some(role), Some(file)) => Some(Credentials {
                role: role.as_str().into(),
                password: Password::new(read(file)?.expose()),
            }),
            (None, _) | (_, None) => None,
        };
        self.cql.settings(credentials)
    }
}
