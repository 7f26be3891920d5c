//! Redis: one process, with sentinels and a replica, or a cluster.

use std::process::Command;

use tempfile::TempDir;

use crate::process::{Process, free_port};
use crate::wait::eventually;

mod cluster;
mod sentinels;

pub use cluster::Cluster;
pub use sentinels::Sentinels;

/// One `redis-server`, that keeps nothing on disk unless told.
#[derive(Debug)]
pub struct Redis {
    process: Process,
    args: Vec<String>,
    port: u16,
    folder: TempDir,
}

impl Redis {
    /// Starts one with further arguments, such as `--appendonly yes`.
    #[must_use]
    pub fn start(further: &[&str]) -> Self {
        let port = free_port();
        let port_text = port.to_string();
        let mut args = vec!["--port", &port_text, "--bind", "127.0.0.1", "--save", ""];
        args.extend(further);
        let args = args.into_iter().map(str::to_owned).collect();
        Self::start_with(port, args, new_folder())
    }

    /// Starts one that speaks TLS only, with a certificate for 127.0.0.1. All in PEM.
    #[must_use]
    pub fn start_with_tls(certificate: &str, key: &str) -> Self {
        let port = free_port();
        let folder = new_folder();
        for (name, text) in [("tls.crt", certificate), ("tls.key", key)] {
            std::fs::write(folder.path().join(name), text)
                .unwrap_or_else(|error| panic!("cannot write {name}: {error}"));
        }
        let port_text = port.to_string();
        let args = ["--port", "0", "--tls-port", &port_text, "--save", ""];
        let tls = ["--tls-cert-file", "tls.crt", "--tls-key-file", "tls.key"];
        let ca = ["--tls-ca-cert-file", "tls.crt", "--tls-auth-clients", "no"];
        let args = [&args[..], &tls, &ca].concat();
        let args = args.into_iter().map(str::to_owned).collect();
        Self::start_with(port, args, folder)
    }

    fn start_with(port: u16, args: Vec<String>, folder: TempDir) -> Self {
        let process = Process::start("redis-server".as_ref(), &args, folder.path());
        let mut redis = Self {
            process,
            args,
            port,
            folder,
        };
        redis.wait_until_ready();
        redis
    }

    /// Where it listens on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The line that a configuration names it by.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Runs a command and gives back what `redis-cli` prints.
    ///
    /// # Panics
    /// When Redis refuses it.
    pub fn run(&self, command: &[&str]) -> String {
        self.try_run(command)
            .unwrap_or_else(|refusal| panic!("redis refuses {command:?}: {refusal}"))
    }

    /// Runs a command.
    ///
    /// # Errors
    /// What Redis or `redis-cli` says against it.
    pub fn try_run(&self, command: &[&str]) -> Result<String, String> {
        let mut cli = Command::new("redis-cli");
        if self.args.iter().any(|arg| arg == "--tls-port") {
            cli.args(["--tls", "--insecure"]);
        }
        let output = cli
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-e"])
            .args(command)
            .output()
            .map_err(|error| format!("cannot start redis-cli: {error}"))?;
        let printed = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if output.status.success() {
            Ok(printed)
        } else {
            Err(printed + &String::from_utf8_lossy(&output.stderr))
        }
    }

    /// Stops it in the middle of what it does: it answers nobody, and its sockets stay.
    pub fn pause(&self) {
        self.process.pause();
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        self.process.go_on();
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again where it was, with what it has on disk.
    pub fn start_again(&mut self) {
        self.process.kill();
        self.process = Process::start("redis-server".as_ref(), &self.args, self.folder.path());
        self.wait_until_ready();
    }

    /// Starts it again where it was, with nothing.
    pub fn start_again_empty(&mut self) {
        self.process.kill();
        // There is none if it never had anything to keep.
        let _ = std::fs::remove_dir_all(self.folder.path().join("appendonlydir"));
        self.start_again();
    }

    fn wait_until_ready(&mut self) {
        eventually("redis answers", || {
            self.process.expect_running();
            self.try_run(&["PING"]).ok()
        });
    }

    /// The value of one line of `INFO`, `CLUSTER INFO` and the like.
    fn fact(&self, command: &[&str], name: &str) -> Option<String> {
        let text = self.try_run(command).ok()?;
        let facts = text.lines().filter_map(|line| line.split_once(':'));
        let mut values = facts.filter(|(key, _)| *key == name);
        values.next().map(|(_, value)| value.trim().to_owned())
    }
}

fn new_folder() -> TempDir {
    TempDir::new().unwrap_or_else(|error| panic!("no temporary folder: {error}"))
}
