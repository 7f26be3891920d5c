//! With the Secrets of one server's pods at the database of both, each with a keyspace of its own.

use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::errors::{DbError, ExecutionError, RequestAttemptError};

use super::{listed, neighbors};
use crate::server::{PASSWORD, cassandra};

const TABLES: &str = "### What Cassandra does not refuse to be read\n";
const STATEMENTS: &str = "### What Cassandra does not refuse to be done\n";

async fn session(role: &str, password: &str) -> Session {
    let builder = SessionBuilder::new().known_node(cassandra());
    builder.user(role, password).build().await.unwrap()
}

/// Whether the database refuses it because of who asks.
async fn is_refused(session: &Session, statement: &str) -> bool {
    let answer = session.query_unpaged(statement, ()).await;
    match answer {
        Ok(_) => false,
        Err(ExecutionError::LastAttemptError(RequestAttemptError::DbError(error, _))) => {
            matches!(error, DbError::Unauthorized)
        }
        Err(_) => false,
    }
}

/// Every table of the database: those of a keyspace, and those that only look like tables.
async fn tables(administrator: &Session) -> Vec<(String, String)> {
    let mut tables = Vec::new();
    for schema in ["system_schema", "system_virtual_schema"] {
        let query = format!("SELECT keyspace_name, table_name FROM {schema}.tables");
        let rows = administrator.query_unpaged(query, ()).await.unwrap();
        let rows = rows.into_rows_result().unwrap();
        let rows = rows.rows::<(String, String)>().unwrap();
        tables.extend(rows.map(Result::unwrap));
    }
    tables
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn database_refuses_with_one_servers_secrets_all_of_anothers() {
    let (a, b) = neighbors().await;
    let [own, other] = [&a, &b].map(|neighbor| format!("gryt_{}", neighbor.server.id));
    let visitor = session(&own, PASSWORD).await;
    let administrator = session("cassandra", "cassandra").await;

    let mut readable = Vec::new();
    let mut seen = 0;
    for (keyspace, table) in tables(&administrator).await {
        let read = format!("SELECT * FROM {keyspace}.\"{table}\" LIMIT 1");
        let may_read = !is_refused(&visitor, &read).await;
        if keyspace == other {
            seen += 1;
            let values = format!("INSERT INTO {other}.\"{table}\" JSON '{{}}'");
            let columns = "server text, a int";
            for statement in [
                read,
                values,
                format!("DELETE FROM {other}.\"{table}\" WHERE server = 'x'"),
                format!("UPDATE {other}.\"{table}\" SET version = 1 WHERE part = 'gryt'"),
                format!("TRUNCATE {other}.\"{table}\""),
                format!("ALTER TABLE {other}.\"{table}\" ADD mine int"),
                format!("DROP TABLE {other}.\"{table}\""),
                format!("CREATE INDEX mine ON {other}.\"{table}\" (server)"),
                format!("CREATE TABLE {other}.mine_{table} ({columns}, PRIMARY KEY (a))"),
                format!("GRANT SELECT ON {other}.\"{table}\" TO {own}"),
            ] {
                // A statement that makes no sense for this table is refused for that, not done.
                let answer = visitor.query_unpaged(statement.as_str(), ()).await;
                let error = answer.expect_err(&statement);
                let says = error.to_string();
                let has_sense =
                    !says.contains("Undefined column") && !says.contains("Some partition key");
                assert!(
                    !has_sense || is_refused(&visitor, &statement).await,
                    "{statement}: {says}"
                );
            }
        } else if may_read && keyspace != own {
            if keyspace == "system_traces" {
                let truncate = format!("TRUNCATE {keyspace}.{table}");
                assert!(is_refused(&visitor, &truncate).await, "{truncate}");
            }
            readable.push(format!("{keyspace}.{table}"));
        }
    }
    assert!(seen >= 7, "{seen}");
    readable.sort();
    assert_eq!(readable, listed(TABLES));

    for statement in [
        format!("SELECT text FROM {other}.messages"),
        format!("INSERT INTO {other}.users (server, issuer, subject) VALUES ('a', 'b', 'c')"),
        format!(
            "DELETE FROM {other}.servers WHERE server = '{}'",
            b.server.id
        ),
        format!("UPDATE {other}.schema_version SET version = 9 WHERE part = 'gryt'"),
        format!("BEGIN BATCH DELETE FROM {other}.servers WHERE server = 'x'; APPLY BATCH"),
        format!("ALTER KEYSPACE {other} WITH durable_writes = false"),
        format!("DROP KEYSPACE {other}"),
        format!("CREATE TABLE {other}.mine (a int PRIMARY KEY)"),
        format!("CREATE TYPE {other}.mine (a int)"),
        format!("GRANT SELECT ON KEYSPACE {other} TO {own}"),
        format!("GRANT ALL ON ALL KEYSPACES TO {own}"),
        format!("REVOKE SELECT ON KEYSPACE {other} FROM {other}"),
        format!("GRANT {other} TO {own}"),
        format!("GRANT cassandra TO {own}"),
        "CREATE KEYSPACE mine WITH replication = \
         {'class': 'SimpleStrategy', 'replication_factor': 1}"
            .to_owned(),
        "CREATE ROLE mine WITH PASSWORD = 'x' AND LOGIN = true".to_owned(),
        format!("ALTER ROLE {own} WITH SUPERUSER = true"),
        format!("ALTER ROLE {other} WITH PASSWORD = 'mine'"),
        "ALTER ROLE cassandra WITH PASSWORD = 'mine'".to_owned(),
        format!("DROP ROLE {other}"),
        format!("LIST ALL PERMISSIONS OF {other}"),
        format!("LIST ROLES OF {other}"),
        "SELECT * FROM system_auth.roles".to_owned(),
        // Not even of its own may it change the tables.
        format!("DROP KEYSPACE {own}"),
        format!("ALTER TABLE {own}.messages ADD mine int"),
    ] {
        assert!(
            is_refused(&visitor, &statement).await,
            "{statement} is not refused"
        );
    }
    let password = PASSWORD.replace('\'', "''");
    let mut done = Vec::new();
    for (name, statement) in [
        ("USE", format!("USE {other}")),
        ("LIST ROLES", "LIST ROLES".to_owned()),
        ("LIST ALL PERMISSIONS", "LIST ALL PERMISSIONS".to_owned()),
        ("DESCRIBE KEYSPACE", format!("DESCRIBE KEYSPACE {other}")),
        (
            "ALTER ROLE",
            format!("ALTER ROLE {own} WITH PASSWORD = '{password}'"),
        ),
    ] {
        if !is_refused(&visitor, &statement).await {
            done.push(name.to_owned());
        }
    }
    done.sort();
    assert_eq!(done, listed(STATEMENTS));

    b.is_undisturbed().await;
    a.is_undisturbed().await;
}
