//! `gryt-signaling` and `gryt-sfu` as processes, each with the flags and folders of its pod.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use gryt_tests::wait::{PATIENCE, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::program;

/// A running process. Killed when dropped.
pub(super) struct Pod {
    child: Child,
    log: PathBuf,
    _dir: TempDir,
}

impl Pod {
    pub(super) async fn sfu(port: u16, tls: &Path) -> Self {
        let pod = Self::start(
            program::sfu().await,
            &[
                &format!("--listen=127.0.0.1:{port}"),
                "--media-port=0",
                "--media-bind=127.0.0.1",
                "--workers=1",
                &format!("--tls-dir={}", tls.display()),
            ],
        );
        pod.logged("serving", 1).await;
        pod
    }

    /// Not yet serving: it may have to wait for its folder.
    pub(super) async fn signaling(flags: &[&str]) -> Self {
        Self::start(program::signaling().await, flags)
    }

    fn start(program: &Path, flags: &[&str]) -> Self {
        let dir = TempDir::with_prefix("gryt-pod-").unwrap();
        let log = dir.path().join("log");
        let child = Command::new(program)
            .args(["--probes-listen=127.0.0.1:0", "--log-format=json"])
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            child,
            log,
            _dir: dir,
        }
    }

    /// Waits until it has logged this so many times; returns the last of them.
    pub(super) async fn logged(&self, message: &str, times: usize) -> Value {
        let found = until(message, || {
            let mut lines = self.lines(message);
            (lines.len() >= times).then(|| lines.pop())
        });
        match found.await {
            Ok(Some(line)) => line,
            Ok(None) => Value::Null,
            Err(error) => panic!("{error}\n{}", self.log()),
        }
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn lines(&self, message: &str) -> Vec<Value> {
        self.log()
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|line| line["message"] == message)
            .collect()
    }

    /// Ends it as Kubernetes does.
    pub(super) async fn terminate(mut self) -> ExitStatus {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
        let ended = tokio::time::timeout(PATIENCE, self.child.wait());
        ended.await.expect("the process ends").unwrap()
    }

    /// Waits for its own end.
    pub(super) async fn ended(mut self) -> (ExitStatus, String) {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let status = ended.expect("the process ends").unwrap();
        (status, self.log())
    }
}

/// A port that nothing listens on.
pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
