//! What the operator keeps of a server's back ends in a Secret of its own namespace: the passwords
//! that it drew, where the data is, and what was prepared for whom. It outlives the GrytServer as
//! long as the data does.

use gryt_model::ServerId;
use serde::{Deserialize, Serialize};

use crate::observed::SecretContents;
use crate::valid::{ValidCql, ValidServer};

/// The UID of the GrytServer whose data it is.
pub const SERVER_UID: &str = "gryt.chat/server-uid";
/// Which database it is in, as JSON.
pub const DATABASE: &str = "gryt.chat/database";
/// Stands for what the database was last prepared for.
pub const DATABASE_PREPARED: &str = "gryt.chat/database-prepared";
/// Stands for what Redis was last prepared for.
pub const BUS_PREPARED: &str = "gryt.chat/bus-prepared";
/// The file with the password of the server's user of Redis.
pub const REDIS_PASSWORD: &str = "redis-password";
/// The file with the password of the server's role in the database.
pub const CQL_PASSWORD: &str = "cql-password";

/// The database that a server has its data in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DatabasePin {
    pub(crate) keyspace: String,
    /// As the class named them last. One of them in common means the same database.
    pub(crate) contact_points: Vec<String>,
}

impl DatabasePin {
    /// What a record says; `None` if it names no database.
    pub(crate) fn of(record: &SecretContents) -> Option<Self> {
        serde_json::from_str(record.annotations.get(DATABASE)?).ok()
    }

    /// Of a server that is about to be built.
    pub(crate) fn wanted(server: &ValidServer, cql: &ValidCql) -> Self {
        let shared = cql.shared_keyspace.clone();
        Self {
            keyspace: shared.unwrap_or_else(|| Self::own_keyspace(&server.id)),
            contact_points: cql.contact_points.clone(),
        }
    }

    pub(crate) fn shares_a_node(&self, contact_points: &[String]) -> bool {
        let known = &self.contact_points;
        known.iter().any(|point| contact_points.contains(point))
    }

    /// The name that signaling gives to a keyspace of the server's own.
    pub(crate) fn own_keyspace(id: &ServerId) -> String {
        format!("gryt_{id}")
    }

    /// As the record keeps it.
    pub(crate) fn as_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
