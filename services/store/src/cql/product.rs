//! ScyllaDB or Apache Cassandra: the one switch for what only one of them has.

use scylla::client::session::Session;

use super::error::Failure;

/// Which program answers, by what it says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Product {
    /// ScyllaDB, which has a table `system.versions`.
    Scylla,
    /// Apache Cassandra, or whatever else speaks its language.
    Cassandra,
}

impl Product {
    /// Asks the database, in a table that every role may read.
    pub(crate) async fn probe(session: &Session) -> Result<Self, Failure> {
        let tables = session
            .query_unpaged(
                "SELECT table_name FROM system_schema.tables
                 WHERE keyspace_name = 'system' AND table_name = 'versions'",
                (),
            )
            .await?
            .into_rows_result()
            .map_err(Failure::read_answer)?;
        Ok(if tables.rows_num() > 0 {
            Self::Scylla
        } else {
            Self::Cassandra
        })
    }

    /// What is added to `CREATE KEYSPACE`. Before release 2025.4 ScyllaDB has no lightweight
    /// transactions on tablets, and every rule here that needs one winner is such a transaction.
    pub(crate) fn keyspace_options(self) -> &'static str {
        match self {
            Self::Scylla => " AND tablets = {'enabled': false}",
            Self::Cassandra => "",
        }
    }
}
