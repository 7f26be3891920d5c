//! A server of several processes with its back ends, an issuer elsewhere, and a proxy before it.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use gryt_backends::cassandra::{Cassandra, DATACENTER, SUPERUSER};
use gryt_backends::redis::Redis;
use gryt_tests::account::Site;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::process::Command;
use url::Url;

mod issuer;
mod process;
mod proxy;

pub(crate) use issuer::{Issuer, Key};
use process::Process;
use proxy::Proxy;

/// Signaling processes.
const SIGNALING: usize = 3;
/// SFUs.
const SFUS: usize = 2;
/// Names the server; one run has one.
const SERVER_ID: &str = "chaoschaoschaoschaoschaosa";
const PASSWORD: &str = "it's a secret";

/// The programs under test.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    pub(crate) signaling: PathBuf,
    pub(crate) sfu: PathBuf,
}

/// An SFU, and where its media is.
#[derive(Debug)]
pub(crate) struct Sfu {
    process: Process,
    /// UDP.
    pub(crate) media_port: u16,
}

/// Everything that runs. All of it ends when dropped.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) issuer: Issuer,
    pub(crate) redis: Redis,
    cassandra: Cassandra,
    signaling: Vec<Process>,
    pub(crate) sfus: Vec<Sfu>,
    proxy: Proxy,
    /// The server as clients know it, by the proxy.
    pub(crate) site: Site,
    _folder: TempDir,
}

impl World {
    /// Starts everything and waits until it serves. `logs`: where each process's log goes.
    pub(crate) async fn start(programs: &Programs, logs: &Path) -> Result<Self> {
        let back_ends = tokio::task::spawn_blocking(|| {
            // What Redis says is written survives its process, as it would on a real disk.
            let redis = Redis::start(&["--appendonly", "yes", "--appendfsync", "everysec"]);
            anyhow::Ok((redis, Cassandra::start()?))
        });
        let (redis, cassandra) = back_ends.await??;
        let issuer = Issuer::start().await?;
        let folder = TempDir::with_prefix("gryt-chaos-")?;
        for (name, secret) in [("password", PASSWORD), ("admin", SUPERUSER)] {
            std::fs::write(folder.path().join(name), secret)?;
        }

        let mut sfus = Vec::new();
        for number in 0..SFUS {
            sfus.push(sfu(&programs.sfu, &logs.join(format!("sfu-{number}.log")))?);
        }
        let listens = addresses(SIGNALING)?;
        let proxy = Proxy::start(listens.clone()).await?;
        let urls = sfus
            .iter()
            .map(|sfu| format!("http://{}", sfu.process.address));
        let environment = Environment {
            folder: folder.path(),
            public_url: format!("http://{}", proxy.address()),
            sfu_urls: urls.collect::<Vec<_>>().join(","),
            issuers: issuer.described().to_owned(),
            redis_url: redis.url(),
            cassandra: cassandra.address(),
        };
        for command in ["provision", "migrate"] {
            environment.administer(&programs.signaling, command).await?;
        }
        let mut signaling = Vec::new();
        for (number, address) in listens.into_iter().enumerate() {
            let [probes] = addresses(1)?[..] else {
                unreachable!("one was asked for")
            };
            let mut variables = environment.variables();
            variables.extend([
                ("GRYT_SIGNALING_LISTEN", address.to_string()),
                ("GRYT_SIGNALING_PROBES_LISTEN", probes.to_string()),
                ("GRYT_SIGNALING_DATA_DIR", environment.file("unused")),
            ]);
            let log = logs.join(format!("signaling-{number}.log"));
            let program = programs.signaling.clone();
            signaling.push(Process::start(program, variables, [address, probes], log)?);
        }
        for process in sfus.iter().map(|sfu| &sfu.process).chain(&signaling) {
            process.until_ready().await?;
        }
        let site = Site::discover(&environment.public_url.parse()?).await?;
        Ok(Self {
            issuer,
            redis,
            cassandra,
            signaling,
            sfus,
            proxy,
            site,
            _folder: folder,
        })
    }

    /// A token for somebody of this name at the server.
    pub(crate) fn token(&self, name: &str, key: Key) -> Result<String> {
        self.issuer.token(name, SERVER_ID, key)
    }

    /// The server as each process gives it, without the proxy.
    pub(crate) fn sites(&self) -> Result<Vec<Site>> {
        let site_at = |process: &Process| {
            let mut site = self.site.clone();
            site.socket_url = Url::parse(&format!("ws://{}/ws", process.address))?;
            anyhow::Ok(site)
        };
        self.signaling.iter().map(site_at).collect()
    }

    /// Ends the signaling process with the most sockets as `kill -9` does; returns its number.
    pub(crate) fn kill_busiest_signaling(&mut self) -> usize {
        let busiest = self.proxy.busiest();
        self.signaling[busiest].kill();
        busiest
    }

    /// Starts it again where it was, and waits until it serves.
    pub(crate) async fn start_signaling_again(&mut self, number: usize) -> Result<()> {
        self.signaling[number].start_again()?;
        self.signaling[number].until_ready().await
    }

    /// Ends an SFU as `kill -9` does.
    pub(crate) fn kill_sfu(&mut self, number: usize) {
        self.sfus[number].process.kill();
    }

    /// Starts it again where it was, and waits until it serves.
    pub(crate) async fn start_sfu_again(&mut self, number: usize) -> Result<()> {
        self.sfus[number].process.start_again()?;
        self.sfus[number].process.until_ready().await
    }

    /// Stops the database in the middle of what it does, or lets it go on.
    pub(crate) fn signal_database(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(self.cassandra.pid().try_into()?);
        kill(pid, signal).with_context(|| format!("send {signal} to the database"))
    }
}

fn sfu(program: &Path, log: &Path) -> Result<Sfu> {
    let [listen, probes] = addresses(2)?[..] else {
        unreachable!("two were asked for")
    };
    let media_port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
    let variables = vec![
        ("GRYT_SFU_LISTEN", listen.to_string()),
        ("GRYT_SFU_PROBES_LISTEN", probes.to_string()),
        ("GRYT_SFU_MEDIA_BIND", "127.0.0.1".to_owned()),
        ("GRYT_SFU_MEDIA_PORT", media_port.to_string()),
        ("GRYT_SFU_WORKERS", "1".to_owned()),
    ];
    let program = program.to_owned();
    Ok(Sfu {
        process: Process::start(program, variables, [listen, probes], log.to_owned())?,
        media_port,
    })
}

/// Addresses that nobody listens on, all of them different.
fn addresses(count: usize) -> Result<Vec<SocketAddr>> {
    let listeners = (0..count).map(|_| TcpListener::bind("127.0.0.1:0"));
    let listeners: Vec<TcpListener> = listeners.collect::<std::io::Result<_>>()?;
    let addresses = listeners.iter().map(TcpListener::local_addr);
    Ok(addresses.collect::<std::io::Result<_>>()?)
}

/// What signaling is told.
struct Environment<'a> {
    folder: &'a Path,
    public_url: String,
    sfu_urls: String,
    issuers: String,
    redis_url: String,
    cassandra: SocketAddr,
}

impl Environment<'_> {
    fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("GRYT_SIGNALING_SERVER_ID", SERVER_ID.to_owned()),
            ("GRYT_SIGNALING_NAME", "Chaos".to_owned()),
            ("GRYT_SIGNALING_PUBLIC_URL", self.public_url.clone()),
            ("GRYT_SIGNALING_SFU_URLS", self.sfu_urls.clone()),
            ("GRYT_SIGNALING_ISSUERS", self.issuers.clone()),
            ("GRYT_SIGNALING_REDIS_URL", self.redis_url.clone()),
            (
                "GRYT_SIGNALING_CQL_CONTACT_POINTS",
                self.cassandra.to_string(),
            ),
            ("GRYT_SIGNALING_CQL_DATACENTER", DATACENTER.to_owned()),
            ("GRYT_SIGNALING_CQL_PASSWORD_FILE", self.file("password")),
        ]
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Runs one of the commands for Jobs.
    async fn administer(&self, program: &Path, command: &str) -> Result<()> {
        let output = Command::new(program)
            .arg(command)
            .env_clear()
            .envs(self.variables())
            .env("GRYT_SIGNALING_CQL_ADMIN_ROLE", SUPERUSER)
            .env("GRYT_SIGNALING_CQL_ADMIN_PASSWORD_FILE", self.file("admin"))
            .env("GRYT_SIGNALING_CQL_REPLICATION", format!("{DATACENTER}:1"))
            .output()
            .await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{command} failed: {said}");
        Ok(())
    }
}
