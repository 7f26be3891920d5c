//! A primary, a replica and three sentinels, which elect within some seconds.

use std::fmt::Write as _;

use tempfile::TempDir;

use super::{Redis, new_folder};
use crate::process::{Process, free_port};
use crate::wait::eventually;

/// What the sentinels call their primary.
const MASTER: &str = "gryt";

/// Redis with sentinels.
#[derive(Debug)]
pub struct Sentinels {
    /// The primary at the start.
    pub primary: Redis,
    /// Its replica.
    pub replica: Redis,
    sentinels: Vec<Sentinel>,
}

#[derive(Debug)]
struct Sentinel {
    redis: Redis,
}

impl Sentinels {
    /// Starts all and waits until the sentinels know each other and the replica follows.
    #[must_use]
    pub fn start() -> Self {
        let primary = Redis::start(&["--repl-diskless-sync-delay", "0"]);
        let port = primary.port().to_string();
        let replica = Redis::start(&["--replicaof", "127.0.0.1", &port]);
        eventually("the replica follows", || {
            let status = replica.fact(&["INFO", "replication"], "master_link_status")?;
            (status == "up").then_some(())
        });
        let sentinels: Vec<Sentinel> = (0..3).map(|_| Sentinel::start(primary.port())).collect();
        for sentinel in &sentinels {
            eventually("the sentinels know each other", || {
                let master = sentinel
                    .redis
                    .try_run(&["SENTINEL", "MASTER", MASTER])
                    .ok()?;
                let lines: Vec<&str> = master.lines().collect();
                let value = |name: &str| {
                    let at = lines.iter().position(|line| *line == name)?;
                    lines.get(at + 1).copied()
                };
                let knows = value("num-other-sentinels")? == "2" && value("num-slaves")? == "1";
                knows.then_some(())
            });
        }
        Self {
            primary,
            replica,
            sentinels,
        }
    }

    /// The line that a configuration names it by.
    #[must_use]
    pub fn url(&self) -> String {
        let mut url = "redis+sentinel://".to_owned();
        for (index, sentinel) in self.sentinels.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            // Writing to a string cannot fail.
            let _ = write!(url, "{comma}127.0.0.1:{}", sentinel.redis.port());
        }
        url + "/" + MASTER
    }

    /// Ends the primary as `kill -9` does, and waits until the replica has taken over.
    pub fn fail_over(&mut self) {
        self.primary.kill();
        let replica = &self.replica;
        eventually("the replica takes over", || {
            let role = replica.fact(&["INFO", "replication"], "role")?;
            (role == "master").then_some(())
        });
    }
}

impl Sentinel {
    fn start(primary: u16) -> Self {
        let folder: TempDir = new_folder();
        let port = free_port();
        let config = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor {MASTER} 127.0.0.1 {primary} 2\n\
             sentinel down-after-milliseconds {MASTER} 1000\n\
             sentinel failover-timeout {MASTER} 10000\n"
        );
        std::fs::write(folder.path().join("sentinel.conf"), config)
            .unwrap_or_else(|error| panic!("cannot write sentinel.conf: {error}"));
        let args = vec!["sentinel.conf".to_owned(), "--sentinel".to_owned()];
        let process = Process::start("redis-server".as_ref(), &args, folder.path());
        let mut redis = Redis {
            process,
            args,
            port,
            folder,
        };
        redis.wait_until_ready();
        Self { redis }
    }
}
