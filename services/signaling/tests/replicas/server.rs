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
pub(crate) const PASSWORD: &str = "it's a secret";
/// Who may make users of Redis, with the rights that docs/back-ends.md asks for; the password is the
/// same.
pub(crate) const ADMINISTRATOR: &str = "administrator";
pub(crate) const ADMINISTRATORS_RIGHTS: &str = "+acl|setuser +acl|getuser +acl|deluser +acl|save +cluster|shards +cluster|slots \
     +cluster|keyslot +scan +del +select ~*";
/// Who may do anything in Redis; the password is the same.
pub(crate) const ROOT: &str = "root";

/// One for all tests; ends with the process.
static CASSANDRA: LazyLock<Cassandra> = LazyLock::new(|| Cassandra::start().unwrap());

pub(crate) struct Server {
    pub(crate) id: ServerId,
    pub(crate) issuer: Issuer,
    /// Its own, which others may use, too.
    pub(crate) redis: Redis,
    /// The Redis that it uses.
    pub(crate) redis_url: String,
    pub(crate) folder: TempDir,
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
        let users = format!(
            "user default on nopass ~* &* +@all\n\
             user {ROOT} on >{ROOT} ~* &* +@all\n\
             user {ADMINISTRATOR} on >{ADMINISTRATOR} {ADMINISTRATORS_RIGHTS}\n"
        );
        let redis_admin = ADMINISTRATOR.to_owned();
        for (name, text) in [
            ("password", PASSWORD.to_owned()),
            ("admin", SUPERUSER.to_owned()),
            ("redis-admin", redis_admin),
            ("users.acl", users),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let users = folder.path().join("users.acl");
        let redis = Redis::start(&["--aclfile", users.to_str().unwrap()]);
        Self {
            id: ServerId::from_random([NEXT.fetch_add(1, Ordering::Relaxed); 16]),
            issuer: Issuer::start().await,
            redis_url: redis.url(),
            redis,
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
        Replica::start(self.environment())
    }

    /// What a process is told; its own addresses are not in it.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
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
            ("GRYT_SIGNALING_REDIS_URL", self.redis_url.clone()),
            ("GRYT_SIGNALING_REDIS_PASSWORD_FILE", self.file("password")),
            ("GRYT_SIGNALING_CQL_CONTACT_POINTS", cassandra()),
            ("GRYT_SIGNALING_CQL_DATACENTER", DATACENTER.to_owned()),
            ("GRYT_SIGNALING_CQL_PASSWORD_FILE", self.file("password")),
            ("GRYT_SIGNALING_LOG", "info".to_owned()),
        ]
    }

    /// Runs one of the commands for Jobs, which has to work, and gives back what it logs.
    pub(crate) fn administer(&self, command: &str) -> String {
        self.administer_without(command, &[])
    }

    /// The same where back ends are left out: `CQL`, `REDIS`.
    pub(crate) fn administer_without(&self, command: &str, left_out: &[&str]) -> String {
        let output = self.try_administer(command, "admin", left_out);
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{command}: {printed}");
        printed
    }

    /// Runs one of the commands for Jobs with the database's password in this file.
    pub(crate) fn try_administer(
        &self,
        command: &str,
        password: &str,
        left_out: &[&str],
    ) -> Output {
        let mut environment = self.environment();
        environment.extend([
            ("GRYT_SIGNALING_CQL_ADMIN_ROLE", SUPERUSER.to_owned()),
            (
                "GRYT_SIGNALING_CQL_ADMIN_PASSWORD_FILE",
                self.file(password),
            ),
            ("GRYT_SIGNALING_CQL_REPLICATION", format!("{DATACENTER}:1")),
            ("GRYT_SIGNALING_REDIS_ADMIN_USER", ADMINISTRATOR.to_owned()),
            (
                "GRYT_SIGNALING_REDIS_ADMIN_PASSWORD_FILE",
                self.file("redis-admin"),
            ),
        ]);
        let is_left_out = |name: &str| left_out.iter().any(|part| name.contains(part));
        environment.retain(|(name, _)| !is_left_out(name));
        Command::new(PROGRAM)
            .arg(command)
            .env_clear()
            .envs(environment)
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

    pub(crate) fn file(&self, name: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        path.to_str().unwrap().to_owned()
    }
}

/// Where the database is.
pub(crate) fn cassandra() -> String {
    CASSANDRA.address().to_string()
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
