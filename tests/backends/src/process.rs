//! One started program.

use std::ffi::OsStr;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Killed when dropped. Its output goes to a file in its folder.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    pub(crate) fn start(program: &OsStr, args: &[String], folder: &Path) -> Self {
        let log = folder.join("output.log");
        let output = File::options().create(true).append(true).open(&log);
        let output = output.unwrap_or_else(|error| panic!("cannot write {log:?}: {error}"));
        let errors = output
            .try_clone()
            .unwrap_or_else(|error| panic!("cannot share {log:?}: {error}"));
        let child = Command::new(program)
            .args(args)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("cannot start {program:?}, run `cargo xtask test backends`: {error}")
            });
        Self { child, log }
    }

    /// Panics with the program's words if it has ended.
    pub(crate) fn expect_running(&mut self) {
        if let Ok(Some(status)) = self.child.try_wait() {
            let output = std::fs::read_to_string(&self.log).unwrap_or_default();
            panic!("a back end ended with {status}:\n{output}");
        }
    }

    /// Stops it in the middle of what it does, for as long as it is not told to go on.
    pub(crate) fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    pub(crate) fn go_on(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Ends it at once, as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        // It fails if the program has ended, and then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).unwrap_or_else(|_| panic!("pid out of range"));
        kill(Pid::from_raw(pid), signal)
            .unwrap_or_else(|error| panic!("cannot send {signal}: {error}"));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .unwrap_or_else(|error| panic!("no free port: {error}"))
        .port()
}
