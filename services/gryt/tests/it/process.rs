//! A running `gryt`, and what is read from it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Far above any start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[expect(clippy::disallowed_methods, reason = "real processes take real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A process that ends with its test.
pub(crate) struct Gryt {
    child: Child,
    /// From the ready line.
    pub(crate) url: String,
    said: mpsc::Receiver<String>,
}

/// A folder that does not exist yet.
pub(crate) fn folder() -> (TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data");
    (dir, path)
}

fn command(data: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gryt"));
    command
        .arg("--data-dir")
        .arg(data)
        .args(args)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub(crate) fn run(data: &Path, args: &[&str]) -> Output {
    command(data, args).output().unwrap()
}

/// What a command that has to fail says on standard error.
pub(crate) fn refusal(data: &Path, args: &[&str]) -> String {
    let output = run(data, args);
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

impl Gryt {
    /// Starts a server on free ports and waits for its ready line.
    pub(crate) fn start(data: &Path, flags: &[&str]) -> Self {
        let mut line = vec!["--port", "0", "--media-port", "0"];
        line.extend(flags);
        let mut child = command(data, &line)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let (send, said) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let line = match said.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(error) => {
                let _ = child.kill();
                let mut complaint = String::new();
                let _ = child.stderr.take().unwrap().read_to_string(&mut complaint);
                panic!("gryt did not get ready: {error}\n{complaint}");
            }
        };
        let url = line.strip_prefix("Gryt is ready: ").unwrap().to_owned();
        Self { child, url, said }
    }

    /// The port of the page.
    pub(crate) fn port(&self) -> u16 {
        self.url.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn end(mut self, signal: &str) -> (ExitStatus, Duration) {
        let begun = now();
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status();
        assert!(sent.unwrap().success());
        let status = self.child.wait().unwrap();
        (status, begun.elapsed())
    }

    /// Sends a signal, and gives the last line on standard output.
    pub(crate) fn last_word(mut self, signal: &str) -> Option<String> {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status();
        assert!(sent.unwrap().success());
        self.child.wait().unwrap();
        self.said.iter().last()
    }
}

impl Drop for Gryt {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
