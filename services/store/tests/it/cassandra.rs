//! One Cassandra for all tests of this binary, and a server of its own in it for each test.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, LazyLock};

use gryt_backends::cassandra::{Cassandra, DATACENTER, SUPERUSER};
use gryt_model::ServerId;
use gryt_store::cql::{self, Credentials, Isolation, Password, Provision, Settings, role_name};
use gryt_store::{CqlStore, FirstOpen, Server};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;

use crate::fixture::first_open;

/// Ends with the process.
static CASSANDRA: LazyLock<Cassandra> = LazyLock::new(|| Cassandra::start().unwrap());

/// A provisioned server, whose role may do only what a server's role may.
pub(crate) struct Home {
    pub(crate) server: ServerId,
    pub(crate) isolation: Isolation,
}

impl Home {
    /// Names a server that has nothing yet, with a keyspace to itself.
    pub(crate) fn new() -> Self {
        Self {
            server: fresh_server(),
            isolation: Isolation::Keyspace,
        }
    }

    /// Names a server that has nothing yet, in a keyspace with many others.
    pub(crate) fn new_shared() -> Self {
        Self {
            server: fresh_server(),
            isolation: Isolation::Shared("gryt_shared".parse().unwrap()),
        }
    }

    pub(crate) async fn provision(&self) {
        cql::provision(&administrator(), &self.provisioning())
            .await
            .unwrap();
    }

    pub(crate) fn provisioning(&self) -> Provision {
        Provision {
            server: self.server.clone(),
            isolation: self.isolation.clone(),
            replication: format!("{DATACENTER}:1").parse().unwrap(),
            password: Some(Password::new("it's a secret")),
        }
    }

    pub(crate) async fn migrate(&self) {
        let keyspace = self.isolation.keyspace(&self.server);
        cql::migrate(&administrator(), &keyspace).await.unwrap();
    }

    /// As the server's own processes connect.
    pub(crate) fn settings(&self) -> Settings {
        settings(&role_name(&self.server), "it's a secret")
    }

    pub(crate) fn first_open(&self) -> FirstOpen {
        let first = first_open();
        FirstOpen {
            server: Server {
                id: self.server.clone(),
                ..first.server
            },
            ..first
        }
    }

    /// One more replica.
    pub(crate) async fn open(&self) -> CqlStore {
        CqlStore::open(&self.settings(), &self.isolation, self.first_open())
            .await
            .unwrap()
    }

    pub(crate) async fn ready(self) -> Self {
        self.provision().await;
        self.migrate().await;
        self
    }
}

pub(crate) fn administrator() -> Settings {
    settings(SUPERUSER, SUPERUSER)
}

pub(crate) fn settings(role: &str, password: &str) -> Settings {
    settings_of(&CASSANDRA, role, password)
}

pub(crate) fn settings_of(cassandra: &Cassandra, role: &str, password: &str) -> Settings {
    Settings {
        contact_points: vec![cassandra.address().to_string().parse().unwrap()],
        local_datacenter: Some(DATACENTER.into()),
        credentials: Some(Credentials {
            role: role.into(),
            password: Password::new(password),
        }),
        authorities: None,
    }
}

/// Whose certificate the database shows, as PEM.
pub(crate) fn authority() -> &'static str {
    CASSANDRA.authority()
}

fn fresh_server() -> ServerId {
    static NEXT: AtomicU8 = AtomicU8::new(0);
    ServerId::from_random([NEXT.fetch_add(1, Ordering::Relaxed); 16])
}

/// Two replicas of one server.
pub(crate) async fn two_stores(home: &Home) -> [Arc<CqlStore>; 2] {
    [Arc::new(home.open().await), Arc::new(home.open().await)]
}

/// A bare session with every right, in the server's keyspace.
pub(crate) async fn superuser(home: &Home) -> Session {
    let settings = administrator();
    let who = settings.credentials.unwrap();
    SessionBuilder::new()
        .known_node(settings.contact_points[0].to_string())
        .user(who.role.as_ref(), "cassandra")
        .use_keyspace(home.isolation.keyspace(&home.server).as_str(), false)
        .build()
        .await
        .unwrap()
}

pub(crate) async fn rows(session: &Session, query: &str) -> usize {
    let answer = session.query_unpaged(query, ()).await.unwrap();
    answer.into_rows_result().unwrap().rows_num()
}
