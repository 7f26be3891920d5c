//! The operator as a process of this machine, and what it costs.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::sleep;

/// How often is looked whether something has come true.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A start, an end and a reconcile of one server take much less.
const PATIENCE: Duration = Duration::from_secs(60);
/// Linux reports processor time in hundredths of a second on every machine.
const MS_PER_TICK: u64 = 10;

/// What is started.
pub(crate) struct Launch<'a> {
    pub(crate) program: &'a Path,
    pub(crate) kubeconfig: &'a Path,
    pub(crate) log: &'a Path,
}

/// A running operator. Dropped, it is killed.
pub(crate) struct Operator {
    process: Child,
    pid: u32,
    probes: String,
}

/// What a process has used since its start.
pub(crate) struct Usage {
    pub(crate) cpu_ms: u64,
    peak_kib: u32,
}

impl Usage {
    /// The most memory that it ever had.
    pub(crate) fn peak_mib(&self) -> f64 {
        f64::from(self.peak_kib) / 1024.0
    }
}

impl Operator {
    /// Starts it and waits until it has the lease and its caches.
    pub(crate) async fn start(launch: &Launch<'_>) -> Result<Self> {
        let probes = free_address().await?;
        let log = File::create(launch.log).context("make the operator's log")?;
        let process = Command::new(launch.program)
            .arg("run")
            .env("KUBECONFIG", launch.kubeconfig)
            .env("GRYT_OPERATOR_PROBES_LISTEN", &probes)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("start the operator")?;
        let pid = process.id().context("the operator has ended")?;
        let mut operator = Self {
            process,
            pid,
            probes,
        };
        for _ in 0..PATIENCE.as_millis() / LOOK_EVERY.as_millis() {
            operator.lives()?;
            if fs::read_to_string(launch.log)?.contains("caches filled") {
                return Ok(operator);
            }
            sleep(LOOK_EVERY).await;
        }
        bail!("the operator does not get its caches filled; see its log");
    }

    /// Processor time and memory.
    pub(crate) fn usage(&self) -> Result<Usage> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid))?;
        // The program's name, in brackets, may hold anything.
        let fields = stat.rsplit_once(')').context("read /proc/PID/stat")?.1;
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.map(str::parse::<u64>).sum::<Result<_, _>>()?;
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
        Ok(Usage {
            cpu_ms: ticks * MS_PER_TICK,
            peak_kib: peak.context("read VmHWM")?.trim().parse()?,
        })
    }

    /// Reconciles since the start, whatever their result.
    pub(crate) async fn reconciles(&mut self) -> Result<u64> {
        self.lives()?;
        let page = get(&self.probes, "/metrics").await?;
        let samples = page
            .lines()
            .filter(|line| line.starts_with("gryt_operator_reconciles_total{"));
        let values = samples.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
        Ok(values.sum())
    }

    /// Waits until so many reconciles have ended.
    pub(crate) async fn reconciled(&mut self, servers: usize) -> Result<()> {
        let mut known = 0;
        let mut patience = PATIENCE;
        loop {
            let now = self.reconciles().await?;
            if now >= u64::try_from(servers)? {
                return Ok(());
            }
            patience = match now > known {
                true => PATIENCE,
                false => patience.saturating_sub(LOOK_EVERY),
            };
            ensure!(!patience.is_zero(), "{now} of {servers} servers reconciled");
            known = now;
            sleep(LOOK_EVERY).await;
        }
    }

    /// Ends it as Kubernetes does, so that it gives its lease back.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let mut kill = Command::new("kill");
        let told = kill.args(["-TERM", &self.pid.to_string()]).status().await?;
        ensure!(told.success(), "kill: {told}");
        let ended = tokio::time::timeout(PATIENCE, self.process.wait()).await;
        let ended = ended.context("the operator does not end")??;
        ensure!(ended.success(), "the operator ended with {ended}");
        Ok(())
    }

    fn lives(&mut self) -> Result<()> {
        match self.process.try_wait()? {
            None => Ok(()),
            Some(ended) => bail!("the operator ended with {ended}; see its log"),
        }
    }
}

async fn free_address() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    Ok(listener.local_addr()?.to_string())
}

async fn get(address: &str, path: &str) -> Result<String> {
    let mut connection = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    Ok(answer)
}
