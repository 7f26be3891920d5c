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
use tokio::sync::OnceCell;

/// A running process. Killed when dropped.
pub(super) struct Pod {
    child: Child,
    log: PathBuf,
    _dir: TempDir,
}

impl Pod {
    pub(super) async fn sfu(port: u16, tls: &Path) -> Self {
        static BINARY: OnceCell<PathBuf> = OnceCell::const_new();
        let binary = binary(&BINARY, "GRYT_TEST_SFU_BINARY", "gryt-sfu").await;
        let pod = Self::start(
            binary,
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
        static BINARY: OnceCell<PathBuf> = OnceCell::const_new();
        let binary = binary(&BINARY, "GRYT_TEST_SIGNALING_BINARY", "gryt-signaling").await;
        Self::start(binary, flags)
    }

    fn start(binary: &Path, flags: &[&str]) -> Self {
        let dir = TempDir::with_prefix("gryt-pod-").unwrap();
        let log = dir.path().join("log");
        let child = Command::new(binary)
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

/// The binary that the variable names, or the one that cargo builds.
async fn binary(
    cell: &'static OnceCell<PathBuf>,
    variable: &'static str,
    package: &'static str,
) -> &'static Path {
    let found = async || match std::env::var_os(variable) {
        Some(binary) => binary.into(),
        None => build(package).await,
    };
    cell.get_or_init(found).await
}

async fn build(package: &str) -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--package", package, "--bin", package])
        .args(["--quiet", "--message-format", "json-render-diagnostics"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .stderr(Stdio::inherit())
        .output()
        .await
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut artifacts = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let built = artifacts.find_map(|artifact| Some(artifact["executable"].as_str()?.into()));
    built.expect("cargo builds it")
}
