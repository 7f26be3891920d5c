//! Apache Cassandra, one node with sign-in on. It stands in for ScyllaDB, which no package registry
//! carries: the same language and protocol, another implementation.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

mod certificate;

use certificate::Certificate;

/// Names the folder of Cassandra's jars.
pub const JARS_VARIABLE: &str = "GRYT_TEST_CASSANDRA_JARS";
/// Names the `java` of a JDK 17: Cassandra 5 runs on no newer one.
pub const JAVA_VARIABLE: &str = "GRYT_TEST_JAVA_17";

/// The role that may do everything, and its password.
pub const SUPERUSER: &str = "cassandra";
/// What the node calls its data center.
pub const DATACENTER: &str = "datacenter1";

/// A busy machine takes its time: 10 s of CPU are usual.
const START_WITHIN: Duration = Duration::from_secs(240);

/// Runs what follows until standard input ends, which it does when the test process does, however that
/// comes about; then nothing is left, neither a process nor a file.
const RUN_UNTIL_LET_GO: &str = r#"
folder=$1; shift
"$@" 2>&1 &
pid=$!
echo "pid $pid"
exec >/dev/null 2>&1
read -r _
kill -KILL "$pid"
wait "$pid"
rm -rf "$folder"
"#;

/// A running node. Killed when dropped, and when the process ends.
#[derive(Debug)]
pub struct Cassandra {
    shell: Child,
    pid: u32,
    address: SocketAddr,
    authority: String,
}

impl Cassandra {
    /// Starts a node and waits until it lets the superuser in.
    ///
    /// # Errors
    /// When it is not installed, or does not start; the text ends with what it printed.
    pub fn start() -> Result<Self> {
        let jars = PathBuf::from(variable(JARS_VARIABLE)?);
        let java = variable(JAVA_VARIABLE)?;
        let folder = TempDir::with_prefix("gryt-cassandra-")?.keep();
        let [native, storage] = free_ports()?;
        let certificate = Certificate::issue()?;
        fs::write(folder.join("node.pem"), &certificate.key_and_chain)?;
        write_configuration(&folder, native, storage)?;
        let mut shell = Command::new("sh")
            .args(["-c", RUN_UNTIL_LET_GO, "sh"])
            .arg(&folder)
            .arg(java)
            .args(java_arguments(&folder, &jars))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start a shell")?;
        let printed = shell.stdout.take().context("the shell prints nothing")?;
        let mut node = Self {
            shell,
            pid: 0,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, native)),
            authority: certificate.authority,
        };
        node.pid = wait_until_ready(&follow(printed, folder.join("log")))?;
        Ok(node)
    }

    /// Where it speaks CQL, with TLS and without.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whose certificate the node shows, as PEM.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The Java process, for whoever wants to pause it.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }
}

impl Drop for Cassandra {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "only the command that starts the tests knows where things are"
)]
fn variable(name: &str) -> Result<String> {
    std::env::var(name).with_context(|| {
        format!("{name} is not set: run these tests by `cargo xtask test backends`")
    })
}

/// Two ports that are free at this moment.
fn free_ports() -> Result<[u16; 2]> {
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let both = [listen()?, listen()?];
    Ok([both[0].local_addr()?.port(), both[1].local_addr()?.port()])
}

fn write_configuration(folder: &Path, native: u16, storage: u16) -> Result<()> {
    let yaml = include_str!("cassandra/cassandra.yaml")
        .replace("{folder}", &folder.to_string_lossy())
        .replace("{native}", &native.to_string())
        .replace("{storage}", &storage.to_string());
    fs::write(folder.join("cassandra.yaml"), yaml)?;
    fs::write(
        folder.join("jvm.options"),
        include_str!("cassandra/jvm.options"),
    )?;
    fs::write(
        folder.join("logback.xml"),
        include_str!("cassandra/logback.xml"),
    )?;
    Ok(())
}

fn java_arguments(folder: &Path, jars: &Path) -> Vec<String> {
    let (folder, jars) = (folder.display(), jars.display());
    vec![
        format!("@{folder}/jvm.options"),
        format!("-javaagent:{jars}/jamm-0.4.0.jar"),
        format!("-Dcassandra.config=file://{folder}/cassandra.yaml"),
        format!("-Dcassandra.storagedir={folder}"),
        format!("-Dlogback.configurationFile={folder}/logback.xml"),
        format!("-Djava.io.tmpdir={folder}"),
        "-cp".to_owned(),
        format!("{jars}/*"),
        "org.apache.cassandra.service.CassandraDaemon".to_owned(),
    ]
}

/// Copies what the node prints into a file, as long as it prints, and passes the lines on as long as
/// somebody listens. A start prints some hundred lines.
fn follow(printed: ChildStdout, log: PathBuf) -> Receiver<String> {
    let (tell, lines) = channel();
    thread::spawn(move || {
        let mut log = fs::File::create(log).ok();
        for line in BufReader::new(printed).lines().map_while(Result::ok) {
            if let Some(log) = &mut log {
                let _ = writeln!(log, "{line}");
            }
            let _ = tell.send(line);
        }
    });
    lines
}

/// Returns the node's process id.
fn wait_until_ready(lines: &Receiver<String>) -> Result<u32> {
    let mut said = Vec::new();
    let mut pid = None;
    let (mut listens, mut lets_in) = (false, false);
    while !(listens && lets_in) {
        let Ok(line) = lines.recv_timeout(START_WITHIN) else {
            let last = said.split_off(said.len().saturating_sub(30));
            bail!(
                "Cassandra did not start; it said last:\n{}",
                last.join("\n")
            );
        };
        if let Some(told) = line.strip_prefix("pid ") {
            pid = told.trim().parse().ok();
        }
        listens |= line.contains("Startup complete");
        lets_in |= line.contains("Created default superuser role");
        said.push(line);
    }
    pid.context("the shell did not tell Cassandra's process id")
}
