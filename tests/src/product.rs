//! The product as a newcomer starts it: one command, one printed address.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result, anyhow, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, OwnedMutexGuard};
use url::Url;

/// Names a `gryt` binary to run in place of `cargo xtask up`, which builds one first.
pub const BINARY_VARIABLE: &str = "GRYT_TEST_BINARY";

/// A running product with a data folder of its own. Killed when dropped.
#[derive(Debug)]
pub struct Product {
    child: Child,
    url: Url,
    data: Arc<TempDir>,
    log: PathBuf,
    /// Tests that start products run one after another: they count packets.
    _turn: Option<OwnedMutexGuard<()>>,
}

impl Product {
    /// Starts a product, when no other test has one.
    ///
    /// # Errors
    /// When it does not print its address.
    pub async fn start() -> Result<Self> {
        static TURNS: OnceLock<Arc<Mutex<()>>> = OnceLock::new();
        let turns = TURNS.get_or_init(Arc::default);
        let turn = Arc::clone(turns).lock_owned().await;
        Self::spawn(Some(turn)).await
    }

    /// Starts a second product beside this one.
    ///
    /// # Errors
    /// When it does not print its address.
    pub async fn start_another(&self) -> Result<Self> {
        Self::spawn(None).await
    }

    async fn spawn(turn: Option<OwnedMutexGuard<()>>) -> Result<Self> {
        let data = TempDir::with_prefix("gryt-test-")?;
        let log = data.path().join("gryt.log");
        let folder = data.path().join("data");
        let ports = ["--port", "0", "--media-port", "0"].map(OsString::from);
        let data_dir = [OsString::from("--data-dir"), folder.into_os_string()];
        let mut command = command(&[]);
        command
            .args(ports)
            .args(data_dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .kill_on_drop(true);
        let mut child = command.spawn().context("cannot start the product")?;
        let output = child.stdout.take().context("the product has no output")?;
        let url = match printed_url(output).await {
            Ok(url) => url,
            Err(error) => {
                let text = std::fs::read_to_string(&log).unwrap_or_default();
                return Err(error.context(format!("the product said:\n{text}")));
            }
        };
        Ok(Self {
            child,
            url,
            data: Arc::new(data),
            log,
            _turn: turn,
        })
    }

    /// The printed address, without a path.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// What the product logged so far.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(&self.log)?)
    }

    /// The data folder.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.data.path().join("data")
    }

    /// Runs a subcommand of `gryt` on this product's data, while it runs.
    ///
    /// # Errors
    /// When the subcommand fails; with what it said.
    pub async fn subcommand(&self, arguments: &[&str]) -> Result<String> {
        let mut command = command(arguments);
        command.arg("--data-dir").arg(self.data_dir());
        let output = command.stdin(Stdio::null()).output().await?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            bail!("gryt {arguments:?} failed: {said}{complaint}");
        }
        Ok(said)
    }

    /// Ends the product as Ctrl-C does, and waits for it.
    ///
    /// # Errors
    /// When it ends in another way than by success.
    pub async fn interrupt(mut self) -> Result<()> {
        let pid = self.child.id().context("the product has ended")?;
        kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGINT)?;
        let status = self.child.wait().await?;
        if !status.success() {
            bail!("the product ended with {status}");
        }
        Ok(())
    }
}

/// `gryt` with these arguments: the binary that was named, or the one that `cargo xtask up` builds
/// and then becomes.
fn command(arguments: &[&str]) -> Command {
    let mut command = if let Some(binary) = std::env::var_os(BINARY_VARIABLE) {
        Command::new(binary)
    } else {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["xtask", "up"]);
        cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
        cargo
    };
    command.args(arguments);
    command
}

/// Reads lines until one has an address in it, and leaves a task behind that reads the rest.
async fn printed_url(output: impl AsyncRead + Unpin + Send + 'static) -> Result<Url> {
    let mut lines = BufReader::new(output).lines();
    while let Some(line) = lines.next_line().await? {
        let word = line
            .split_whitespace()
            .find(|word| word.starts_with("http://") || word.starts_with("https://"));
        if let Some(word) = word {
            let url = word
                .parse()
                .map_err(|error| anyhow!("\"{word}\": {error}"))?;
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Ok(url);
        }
    }
    bail!("the product ended before it printed an address")
}
