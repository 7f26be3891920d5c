//! A server with its back ends, and as many processes of it as a test wants.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU8, Ordering};

use gryt_backends::cassandra::{Cassandra, DATACENTER, SUPERUSER};
use gryt_backends::redis::Redis;
use gryt_model::ServerId;
use tempfile::TempDir;

use crate::chatter::Chatter;
use crate::issuer::Issuer;
use crate::replica::Replica;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_gryt-signaling");
const PASSWORD: &str = "it's a secret";

/// One for all tests; ends with the process.
static CASSANDRA: LazyLock<Cassandra> = LazyLock::new(|| Cassandra::start().unwrap());

pub(crate) struct Server {
    pub(crate) id: ServerId,
    pub(crate) issuer: Issuer,
    pub(crate) redis: Redis,
    folder: TempDir,
}

impl Server {
    /// With everything made that its processes need.
    pub(crate) async fn ready() -> Self {
        let server = Self::bare().await;
        server.administer("provision");
        server.administer("migrate");
        server
    }

    /// With back ends that know nothing of it.
    pub(crate) async fn bare() -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let folder = tempfile::tempdir().unwrap();
        for (name, secret) in [("password", PASSWORD), ("admin", SUPERUSER)] {
            std::fs::write(folder.path().join(name), secret).unwrap();
        }
        Self {
            id: ServerId::from_random([NEXT.fetch_add(1, Ordering::Relaxed); 16]),
            issuer: Issuer::start().await,
            redis: Redis::start(&[]),
            folder,
        }
    }

    /// Starts processes, and waits until they serve.
    pub(crate) async fn replicas<const COUNT: usize>(&self) -> [Replica; COUNT] {
        let replicas = std::array::from_fn(|_| self.replica());
        for replica in &replicas {
            replica.until_ready().await;
        }
        replicas
    }

    /// Starts one more process.
    pub(crate) fn replica(&self) -> Replica {
        Replica::start(self.environment(&self.redis.url()))
    }

    /// What a process is told; its own addresses are not in it.
    pub(crate) fn environment(&self, redis_url: &str) -> Vec<(&'static str, String)> {
        vec![
            ("GRYT_SIGNALING_SERVER_ID", self.id.to_string()),
            ("GRYT_SIGNALING_NAME", "Home".to_owned()),
            (
                "GRYT_SIGNALING_PUBLIC_URL",
                "https://chat.example.org".to_owned(),
            ),
            // Nobody talks here.
            ("GRYT_SIGNALING_SFU_URLS", "http://127.0.0.1:1".to_owned()),
            ("GRYT_SIGNALING_ISSUERS", self.issuer.described.clone()),
            ("GRYT_SIGNALING_REDIS_URL", redis_url.to_owned()),
            (
                "GRYT_SIGNALING_CQL_CONTACT_POINTS",
                CASSANDRA.address().to_string(),
            ),
            ("GRYT_SIGNALING_CQL_DATACENTER", DATACENTER.to_owned()),
            ("GRYT_SIGNALING_CQL_PASSWORD_FILE", self.file("password")),
            ("GRYT_SIGNALING_LOG", "info".to_owned()),
        ]
    }

    /// Runs one of the commands for Jobs, which has to work.
    pub(crate) fn administer(&self, command: &str) {
        let output = self.try_administer(command, "admin");
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {printed}");
    }

    /// Runs one of the commands for Jobs with the password in this file.
    pub(crate) fn try_administer(&self, command: &str, password: &str) -> Output {
        Command::new(PROGRAM)
            .arg(command)
            .env_clear()
            .envs(self.environment(&self.redis.url()))
            .env("GRYT_SIGNALING_CQL_ADMIN_ROLE", SUPERUSER)
            .env(
                "GRYT_SIGNALING_CQL_ADMIN_PASSWORD_FILE",
                self.file(password),
            )
            .env("GRYT_SIGNALING_CQL_REPLICATION", format!("{DATACENTER}:1"))
            .output()
            .unwrap()
    }

    /// A person whose socket is at the first of these processes, and goes to the next whenever it is
    /// lost.
    pub(crate) async fn person(&self, name: &str, replicas: &[&Replica]) -> Chatter {
        let token = self.issuer.token(name, self.id.as_str());
        let addresses = replicas.iter().map(|replica| replica.address).collect();
        Chatter::enter(name, token, addresses).await
    }

    fn file(&self, name: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        path.to_str().unwrap().to_owned()
    }
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
