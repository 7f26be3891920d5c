//! A CQL database and the keyspaces in it: connect, provision, migrate, purge.
//!
//! Made for ScyllaDB. Its tests run on Apache Cassandra, which speaks the same language and stands in
//! for it; what only ScyllaDB has is in `product`, and no test has run it.

mod address;
mod connection;
mod error;
mod migrate;
mod names;
mod outcome;
mod pauses;
mod product;
mod provision;
mod purge;
mod schema;
mod secret;
mod sign_in;
mod tls;

pub use address::{ContactPoint, InvalidAddress};
pub(crate) use connection::Connection;
pub use connection::Settings;
pub use error::Error;
pub(crate) use error::Failure;
pub use migrate::migrate;
pub use names::{InvalidName, Isolation, Keyspace, role_name};
pub(crate) use outcome::{Outcome, is_passing};
pub use provision::{InvalidReplication, Provision, Replication, provision};
pub use purge::purge;
pub(crate) use schema::{check_version, older};
pub use secret::{Credentials, Password};
pub use tls::Authorities;
