//! What only CQL promises: many processes on one server's data, servers kept apart, migrations.

mod connection;
mod isolation;
mod order;
mod races;
mod schema;
