//! What can go wrong with the database as a whole, and with one statement.

use scylla::errors::{
    ConnectionError, ConnectionPoolError, ConnectionSetupRequestErrorKind, DbError, ExecutionError,
    MetadataError, NewSessionError, RequestAttemptError, UseKeyspaceError,
};

use super::names::Keyspace;
use crate::error::Cause;

/// A database that cannot be used as it is.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bundle of authorities is unusable.
    #[error("cannot read the bundle of certificate authorities")]
    ReadAuthorities(#[source] Cause),
    /// No contact point answered in time. Trying again later may help.
    #[error("cannot reach the database at {nodes}")]
    Reach {
        /// The contact points.
        nodes: String,
        /// What the last of them said.
        #[source]
        source: Cause,
    },
    /// The database does not know the role, or its secret is another one.
    #[error("the database at {nodes} refuses role \"{role}\": wrong name or password{origin}")]
    SignIn {
        /// The contact points.
        nodes: String,
        /// The role, or none was given.
        role: Box<str>,
        /// Where the password came from, as the end of a sentence.
        origin: String,
        /// What the database said.
        #[source]
        source: Cause,
    },
    /// The keyspace or its tables are missing, or made by an older program.
    #[error(
        "keyspace \"{keyspace}\" has schema version {found}, and this program needs version \
         {known}: migrate it first"
    )]
    OlderSchema {
        /// Where.
        keyspace: Keyspace,
        /// The version found; 0 if there is nothing.
        found: u32,
        /// The version that this program needs.
        known: u32,
    },
    /// The keyspace was migrated by a newer program. Going back is refused, because it would lose
    /// what the newer one wrote.
    #[error(
        "keyspace \"{keyspace}\" has schema version {found}, and this program knows versions up to \
         {known}: it was migrated by a newer version of Gryt; run that version"
    )]
    NewerSchema {
        /// Where.
        keyspace: Keyspace,
        /// The version found.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// The schema cannot be brought up to date, or not within its time. Safe to try again.
    #[error("cannot bring the schema of keyspace \"{keyspace}\" up to date")]
    Migrate {
        /// Where.
        keyspace: Keyspace,
        /// Why.
        #[source]
        source: Cause,
    },
    /// A keyspace or a role cannot be made. Safe to try again.
    #[error("cannot provision keyspace \"{keyspace}\"")]
    Provision {
        /// Where.
        keyspace: Keyspace,
        /// Why.
        #[source]
        source: Cause,
    },
    /// What a server left cannot be removed entirely. Safe to try again.
    #[error("cannot purge keyspace \"{keyspace}\"")]
    Purge {
        /// Where.
        keyspace: Keyspace,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The server's record or statements cannot be prepared. Trying again later may help.
    #[error("cannot open keyspace \"{keyspace}\"")]
    Open {
        /// Where.
        keyspace: Keyspace,
        /// Why.
        #[source]
        source: Cause,
    },
}

/// Why one statement, or a few that belong together, did not work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the database refused a statement or did not answer it")]
    Execute(#[source] Box<ExecutionError>),
    #[error("the database's answer cannot be read")]
    ReadAnswer(#[source] Cause),
    #[error("stored {0} is damaged")]
    Damaged(&'static str),
    #[error("other replicas were faster every time")]
    Contended,
    #[error("the database took longer than {0} s")]
    TimedOut(u64),
    #[error("cannot read the password")]
    ReadPassword(#[source] std::io::Error),
    #[error("channel \"{0}\" was deleted, and a deleted channel's id is never used again")]
    UsedId(String),
}

impl From<ExecutionError> for Failure {
    fn from(error: ExecutionError) -> Self {
        Self::Execute(Box::new(error))
    }
}

impl Failure {
    pub(crate) fn read_answer(error: impl Into<Cause>) -> Self {
        Self::ReadAnswer(error.into())
    }
}

/// Whether a node answered that it does not let us in.
pub(super) fn is_refused_sign_in(error: &NewSessionError) -> bool {
    let NewSessionError::MetadataError(MetadataError::ConnectionPoolError(
        ConnectionPoolError::Broken {
            last_connection_error: connection,
        },
    )) = error
    else {
        return false;
    };
    let ConnectionError::ConnectionSetupRequestError(setup) = connection else {
        return false;
    };
    matches!(
        setup.error,
        ConnectionSetupRequestErrorKind::DbError(DbError::AuthenticationError, _)
            | ConnectionSetupRequestErrorKind::MissingAuthentication
    )
}

/// Whether the database says that there is no such keyspace.
pub(super) fn is_no_keyspace(error: &UseKeyspaceError) -> bool {
    let UseKeyspaceError::RequestError(attempt) = error else {
        return false;
    };
    matches!(attempt, RequestAttemptError::DbError(DbError::Invalid, _))
}
