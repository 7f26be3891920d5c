//! `gryt-sfu` as a process, as a pod runs it.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use gryt_tests::metrics::Scrape;
use gryt_tests::wait::{PATIENCE, until, until_answered};
use hyper_util::rt::TokioIo;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};
use url::Url;

use super::authority::SERVER;
use crate::program;

/// A running process. Killed when dropped.
pub(super) struct Process {
    child: Child,
    calls: SocketAddr,
    pub(super) probes: Url,
    dir: TempDir,
}

impl Process {
    /// Starts it with one worker on loopback and these flags.
    pub(super) async fn start(flags: &[&str]) -> Self {
        let dir = TempDir::with_prefix("gryt-sfu-").unwrap();
        let log = dir.path().join("log");
        let child = Command::new(program::sfu().await)
            .args(["--listen", "127.0.0.1:0", "--probes-listen", "127.0.0.1:0"])
            .args(["--media-port", "0", "--media-bind", "127.0.0.1"])
            .args(["--workers", "1", "--log-format", "json"])
            .arg("--termination-log")
            .arg(dir.path().join("end"))
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let serving = until("the process serves", || line(&log, "serving"))
            .await
            .unwrap_or_else(|error| {
                panic!(
                    "{error}\n{}",
                    std::fs::read_to_string(&log).unwrap_or_default()
                )
            });
        let address = |name: &str| serving[name].as_str().unwrap().to_owned();
        Self {
            child,
            calls: address("calls").parse().unwrap(),
            probes: format!("http://{}", address("probes")).parse().unwrap(),
            dir,
        }
    }

    /// A connection for calls in plain text.
    pub(super) async fn connect(&self) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.calls)).unwrap();
        endpoint.connect().await.unwrap()
    }

    /// A connection for calls with TLS, made with the first call.
    pub(super) fn connect_as(&self, config: Arc<ClientConfig>) -> Channel {
        let calls = self.calls;
        let connector = tower::service_fn(move |_| {
            let connector = TlsConnector::from(Arc::clone(&config));
            async move {
                let name = ServerName::try_from(format!("sfu.{SERVER}.gryt")).unwrap();
                let stream = TcpStream::connect(calls).await?;
                let stream = connector.connect(name, stream).await?;
                Ok::<_, std::io::Error>(TokioIo::new(stream))
            }
        });
        Endpoint::from_static("http://sfu").connect_with_connector_lazy(connector)
    }

    pub(super) fn calls(&self) -> SocketAddr {
        self.calls
    }

    pub(super) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// Waits for the end.
    pub(super) async fn ended(&mut self) -> ExitStatus {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait());
        ended.await.expect("the process ends").unwrap()
    }

    pub(super) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// What it told at its end, if anything.
    pub(super) fn last_word(&self) -> Option<String> {
        let word = std::fs::read_to_string(self.dir.path().join("end")).ok();
        word.filter(|word| !word.is_empty())
    }

    /// Waits until it has logged this.
    pub(super) async fn logged(&self, message: &str) -> Value {
        let log = self.dir.path().join("log");
        until(message, || line(&log, message)).await.unwrap()
    }

    /// Waits until `/readyz` says this.
    pub(super) async fn readiness_is(&self, expected: &str) {
        let url = self.probes.join("/readyz").unwrap();
        until_answered("readiness", || async {
            let said = reqwest::get(url.clone()).await.ok()?.text().await.ok()?;
            (said.trim() == expected).then_some(())
        })
        .await
        .unwrap();
    }

    /// Waits until it was told to end, and does not yet.
    pub(super) async fn drains(&self) {
        until_answered("a drain", || async {
            (self.figure("gryt_sfu_draining").await == 1).then_some(())
        })
        .await
        .unwrap();
    }

    pub(super) async fn figure(&self, sample: &str) -> u64 {
        let scrape = Scrape::take(&self.probes).await.unwrap();
        scrape.value(sample).unwrap()
    }
}

/// The first line of the log with this message.
fn line(log: &Path, message: &str) -> Option<Value> {
    let text = std::fs::read_to_string(log).ok()?;
    text.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|line| line["message"] == message)
}
