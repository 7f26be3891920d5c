//! Makes what a server needs before its first process starts: a keyspace and a role for it alone.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use gryt_model::ServerId;

use super::connection::{Connection, Settings};
use super::error::{Error, Failure};
use super::names::{Isolation, Keyspace, role_name};
use super::product::Product;
use super::secret::{Credentials, Password};

/// How many copies each data center keeps: `dc1:3,dc2:3`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replication(BTreeMap<Box<str>, u8>);

/// A text that is no replication.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a replication: datacenter:copies, several with commas between")]
pub struct InvalidReplication(String);

impl FromStr for Replication {
    type Err = InvalidReplication;

    fn from_str(text: &str) -> Result<Self, InvalidReplication> {
        let invalid = || InvalidReplication(text.to_owned());
        let mut copies = BTreeMap::new();
        for part in text.split(',') {
            let (datacenter, count) = part.trim().split_once(':').ok_or_else(invalid)?;
            let count: u8 = count.parse().map_err(|_| invalid())?;
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
            let ok = !datacenter.is_empty() && datacenter.bytes().all(plain) && count > 0;
            if !ok || copies.insert(datacenter.into(), count).is_some() {
                return Err(invalid());
            }
        }
        Ok(Self(copies))
    }
}

impl fmt::Display for Replication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (datacenter, copies)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{datacenter}:{copies}")?;
        }
        Ok(())
    }
}

/// What to make.
#[derive(Debug, Clone)]
pub struct Provision {
    /// For which server.
    pub server: ServerId,
    /// Whether it gets a keyspace of its own.
    pub isolation: Isolation,
    /// Copies; of a keyspace that exists already they are left as they are.
    pub replication: Replication,
    /// The secret of the server's role, which is changed to this one if it is another. `None` makes
    /// no role: for a database that asks nobody who they are.
    pub password: Option<Password>,
}

/// Makes the keyspace and the role `gryt_<server id>`, which may read and write in this keyspace and
/// do nothing else. Twice is harmless. A changed secret holds once the nodes' caches have heard of it,
/// which takes seconds. Needs a role that may make keyspaces and roles.
///
/// # Errors
/// [`Error::Reach`] and [`Error::SignIn`] as for every connection; [`Error::Provision`] if something
/// cannot be made.
pub async fn provision(settings: &Settings, wanted: &Provision) -> Result<(), Error> {
    let keyspace = wanted.isolation.keyspace(&wanted.server);
    let connection = Connection::open(settings).await?;
    let made = make(settings, &connection, &keyspace, wanted).await;
    made.map_err(|error| Error::Provision {
        keyspace,
        source: error.into(),
    })
}

async fn make(
    settings: &Settings,
    connection: &Connection,
    keyspace: &Keyspace,
    wanted: &Provision,
) -> Result<(), Failure> {
    let product = Product::probe(connection.session()).await?;
    connection
        .define(&create_keyspace(keyspace, &wanted.replication, product))
        .await?;
    let Some(password) = &wanted.password else {
        return Ok(());
    };
    // Statements about roles take no bound values.
    let role = role_name(&wanted.server);
    let secret = password.read().map_err(Failure::ReadPassword)?;
    let quoted = secret.replace('\'', "''");
    connection
        .define(&format!(
            "CREATE ROLE IF NOT EXISTS {role} WITH PASSWORD = '{quoted}' AND LOGIN = true"
        ))
        .await?;
    // A role that was there may have another secret. Changed only then: Cassandra refuses to change
    // one that was just changed.
    let who = Credentials {
        role: role.clone(),
        password: password.clone(),
    };
    let as_role = Settings {
        credentials: Some(who),
        ..settings.clone()
    };
    if let Err(Error::SignIn { .. }) = Connection::open(&as_role).await {
        connection
            .define(&format!("ALTER ROLE {role} WITH PASSWORD = '{quoted}'"))
            .await?;
    }
    for permission in ["SELECT", "MODIFY"] {
        connection
            .define(&format!(
                "GRANT {permission} ON KEYSPACE {keyspace} TO {role}"
            ))
            .await?;
    }
    Ok(())
}

fn create_keyspace(keyspace: &Keyspace, replication: &Replication, product: Product) -> String {
    let mut copies = String::new();
    for (datacenter, count) in &replication.0 {
        copies.push_str(&format!(", '{datacenter}': {count}"));
    }
    format!(
        "CREATE KEYSPACE IF NOT EXISTS {keyspace} \
         WITH replication = {{'class': 'NetworkTopologyStrategy'{copies}}}{}",
        product.keyspace_options()
    )
}

#[cfg(test)]
mod tests {
    use super::{Product, Replication, create_keyspace};

    #[test]
    fn only_scylla_is_told_of_tablets() {
        let keyspace = "gryt_shared".parse().unwrap();
        let replication: Replication = "dc1:3,dc2:2".parse().unwrap();

        let cassandra = create_keyspace(&keyspace, &replication, Product::Cassandra);
        let scylla = create_keyspace(&keyspace, &replication, Product::Scylla);

        assert_eq!(
            cassandra,
            "CREATE KEYSPACE IF NOT EXISTS gryt_shared WITH replication = \
             {'class': 'NetworkTopologyStrategy', 'dc1': 3, 'dc2': 2}"
        );
        assert_eq!(
            scylla,
            format!("{cassandra} AND tablets = {{'enabled': false}}")
        );
    }

    #[test]
    fn replication_that_names_nothing_twice_or_strangely_is_read() {
        for text in ["", "dc1", "dc1:0", "dc1:x", "dc1:3,dc1:2", "d'c:1", ":1"] {
            assert!(text.parse::<Replication>().is_err(), "{text}");
        }
        let replication: Replication = "b:1, a:3".parse().unwrap();
        assert_eq!(replication.to_string(), "a:3,b:1");
    }
}
