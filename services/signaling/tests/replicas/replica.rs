//! One process of a server.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::server::{PROGRAM, free_port};

/// Far above any start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// Killed when dropped.
pub(crate) struct Replica {
    process: Child,
    pub(crate) address: SocketAddr,
    probes: SocketAddr,
    folder: TempDir,
}

impl Replica {
    pub(crate) fn start(environment: Vec<(&'static str, String)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let local = || SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let (address, probes) = (local(), local());
        let process = Command::new(PROGRAM)
            .env_clear()
            .envs(environment)
            .env("GRYT_SIGNALING_LISTEN", address.to_string())
            .env("GRYT_SIGNALING_PROBES_LISTEN", probes.to_string())
            .env("GRYT_SIGNALING_DATA_DIR", folder.path().join("unused"))
            .stdin(Stdio::null())
            .stderr(File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        Self {
            process,
            address,
            probes,
            folder,
        }
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Whether it made its folder, which it has no use for.
    pub(crate) fn keeps_files(&self) -> bool {
        self.folder.path().join("unused").exists()
    }

    pub(crate) async fn until_ready(&self) {
        self.until("it is ready", async || {
            self.probe("readyz").await == Some(200)
        })
        .await;
    }

    /// The status of a probe; `None` if nobody answers.
    pub(crate) async fn probe(&self, path: &str) -> Option<u16> {
        let answer = reqwest::get(format!("http://{}/{path}", self.probes)).await;
        answer.ok().map(|answer| answer.status().as_u16())
    }

    /// Waits until it is so. Fails at once if the process has ended.
    pub(crate) async fn until(&self, what: &str, is_so: impl AsyncFn() -> bool) {
        let waiting = async {
            while !is_so().await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            panic!("waited in vain: {what}\n{}", self.log());
        }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        // It fails if the process has ended, and then there is nothing to end.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("log"));
            println!("log of {}:\n{}", self.address, log.unwrap_or_default());
        }
    }
}
