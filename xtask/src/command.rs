//! Runs one program: its output goes through line by line and is counted, and no program outlives
//! the deadline of the whole run.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::count::Count;

/// Makes a command that runs in the clone's top folder.
pub(crate) fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(crate::cache::root());
    command
}

/// Makes a cargo command that builds where every other one does.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = command("cargo", args);
    command.env("CARGO_TARGET_DIR", crate::cache::target());
    if crate::cache::in_ci() {
        // Each crate is built once there: what a second build would reuse is a third of the folder.
        command.env("CARGO_INCREMENTAL", "0");
    }
    command
}

/// Runs to the end with the terminal's own output.
pub(crate) fn run(mut command: Command) -> Result<()> {
    let line = shown(&command);
    let status = command
        .status()
        .with_context(|| format!("start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` ended with {status}");
    }
    Ok(())
}

/// Runs to the end and gives back what it printed.
pub(crate) fn output(mut command: Command) -> Result<String> {
    let line = shown(&command);
    let output = command
        .output()
        .with_context(|| format!("start `{line}`"))?;
    if !output.status.success() {
        bail!(
            "`{line}` ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// How a counted run ended.
pub(crate) struct Ended {
    pub(crate) success: bool,
    pub(crate) count: Count,
}

/// Runs to the end, passing every line on and counting the runners' closing lines.
///
/// # Errors
/// When the program can't be started, or still runs at `deadline`: it and all its descendants are
/// ended then.
pub(crate) fn run_counted(mut command: Command, deadline: Instant) -> Result<Ended> {
    let line = shown(&command);
    println!("\u{203a} {line}");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("start `{line}`"))?;
    let (lines, printed) = channel();
    if let Some(stdout) = child.stdout.take() {
        pass_on(stdout, lines.clone());
    }
    if let Some(stderr) = child.stderr.take() {
        pass_on(stderr, lines);
    }
    let Some(count) = count_until(&printed, deadline) else {
        end_with_descendants(&mut child);
        bail!("`{line}` still ran when the time of the whole run was over");
    };
    let status = child.wait().with_context(|| format!("wait for `{line}`"))?;
    Ok(Ended {
        success: status.success(),
        count,
    })
}

fn count_until(printed: &Receiver<String>, deadline: Instant) -> Option<Count> {
    let mut count = Count::default();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match printed.recv_timeout(left) {
            Ok(line) => count += Count::of_line(&line),
            Err(RecvTimeoutError::Disconnected) => return Some(count),
            Err(RecvTimeoutError::Timeout) => return None,
        }
    }
}

fn pass_on(from: impl Read + Send + 'static, lines: Sender<String>) {
    thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut bytes = Vec::new();
        while from
            .read_until(b'\n', &mut bytes)
            .is_ok_and(|read| read > 0)
        {
            let _ = std::io::stdout().write_all(&bytes);
            let line = String::from_utf8_lossy(&bytes).into_owned();
            if lines.send(line).is_err() {
                return;
            }
            bytes.clear();
        }
    });
}

/// Ends a child and what it started, found by its pid, so that nobody else's process is touched.
fn end_with_descendants(child: &mut Child) {
    for pid in descendants(child.id()) {
        let _ = Command::new("kill")
            .args(["-KILL", &pid.to_string()])
            .status();
    }
    let _ = child.kill();
    let _ = child.wait();
}

fn descendants(pid: u32) -> Vec<u32> {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let parents: Vec<(u32, u32)> = processes
        .filter_map(|entry| {
            let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let parent = stat
                .rsplit_once(')')?
                .1
                .split_whitespace()
                .nth(1)?
                .parse()
                .ok()?;
            Some((pid, parent))
        })
        .collect();
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(&above) = found.get(next) {
        found.extend(
            parents
                .iter()
                .filter(|(_, parent)| *parent == above)
                .map(|(pid, _)| pid),
        );
        next += 1;
    }
    found.split_off(1)
}

fn shown(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line
}
