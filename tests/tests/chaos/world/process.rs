//! A process under test, which can be killed and started again where it was.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use gryt_tests::wait;

/// Killed when dropped. What it logs is added to one file over all its lives.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    program: PathBuf,
    variables: Vec<(&'static str, String)>,
    log: PathBuf,
    /// Where it serves.
    pub(super) address: SocketAddr,
    probes: SocketAddr,
}

impl Process {
    /// Starts it with nothing but these variables, by which it listens on these two addresses.
    pub(super) fn start(
        program: PathBuf,
        variables: Vec<(&'static str, String)>,
        [address, probes]: [SocketAddr; 2],
        log: PathBuf,
    ) -> Result<Self> {
        let child = spawn(&program, &variables, &log)?;
        Ok(Self {
            child,
            program,
            variables,
            log,
            address,
            probes,
        })
    }

    /// Ends it as `kill -9` does.
    pub(super) fn kill(&mut self) {
        // It fails if the process has ended, and then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub(super) fn start_again(&mut self) -> Result<()> {
        self.kill();
        self.child = spawn(&self.program, &self.variables, &self.log)?;
        Ok(())
    }

    pub(super) async fn until_ready(&self) -> Result<()> {
        let url = format!("http://{}/readyz", self.probes);
        let ready = || async {
            let answer = reqwest::get(&url).await.ok()?;
            answer.status().is_success().then_some(())
        };
        let ready = wait::until_answered("a process is ready", ready).await;
        ready.with_context(|| format!("see {}", self.log.display()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(program: &PathBuf, variables: &[(&str, String)], log: &PathBuf) -> Result<Child> {
    let log = File::options().create(true).append(true).open(log)?;
    Command::new(program)
        .env_clear()
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .with_context(|| format!("start {}", program.display()))
}
