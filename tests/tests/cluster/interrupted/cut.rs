//! The way from an operator to the API server, on which the server `after-7` has seven writes: the
//! seventh happens and its answer never comes; what would follow is never sent.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use gryt_tests::cluster::{Cluster, Namespace};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

/// Begins the names of servers whose writes are counted.
pub(super) const PREFIX: &str = "after-";

/// A way that is cut for each server after so many writes as its name says. Leases are let through.
pub(super) struct Cut {
    /// The API server without TLS.
    _plain: Child,
    kubeconfig: PathBuf,
    way: Arc<Way>,
}

struct Way {
    upstream: SocketAddr,
    /// Where the servers are; their CAs say so too.
    namespace: String,
    /// The writes of each server that got through, by its number.
    written: Mutex<BTreeMap<usize, Vec<String>>>,
}

enum Verdict {
    /// Nothing special about it.
    Passes,
    /// It happens, and nobody hears of it.
    IsLast,
    /// It does not happen.
    IsTooLate,
}

impl Cut {
    /// Opens a way to the servers of `space`, with the rights of `kubeconfig`; its own kubeconfig is put into the folder.
    pub(super) async fn open(space: &Namespace, kubeconfig: &Path, folder: &Path) -> Result<Self> {
        let (plain, upstream) = without_tls(space.cluster(), kubeconfig).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let own = folder.join("cut.kubeconfig");
        std::fs::write(&own, config(listener.local_addr()?))?;
        let way = Arc::new(Way {
            upstream,
            namespace: space.name().to_owned(),
            written: Mutex::default(),
        });
        let shared = Arc::clone(&way);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let way = Arc::clone(&shared);
                tokio::spawn(async move { way.lead(client).await });
            }
        });
        Ok(Self {
            _plain: plain,
            kubeconfig: own,
            way,
        })
    }

    pub(super) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The first line of each write that got through, by the number of its server.
    pub(super) fn written(&self) -> BTreeMap<usize, Vec<String>> {
        let written = self.way.written.lock();
        written.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Way {
    /// One connection carries one request: its end is the end of the answer.
    async fn lead(&self, client: TcpStream) -> Result<()> {
        let mut client = BufReader::new(client);
        let (head, length) = read_head(&mut client).await?;
        let mut body = vec![0; length];
        client.read_exact(&mut body).await?;
        let verdict = self.judge(&head, &body);
        if matches!(verdict, Verdict::IsTooLate) {
            return std::future::pending().await;
        }

        let mut server = TcpStream::connect(self.upstream).await?;
        server.write_all(head.as_bytes()).await?;
        server.write_all(&body).await?;
        if matches!(verdict, Verdict::IsLast) {
            server.read_to_end(&mut Vec::new()).await?;
            return std::future::pending().await;
        }
        tokio::io::copy(&mut server, client.get_mut()).await?;
        Ok(())
    }

    fn judge(&self, head: &str, body: &[u8]) -> Verdict {
        let request = head.lines().next().unwrap_or_default();
        let reads = ["GET ", "HEAD "];
        if reads.iter().any(|read| request.starts_with(read)) {
            return Verdict::Passes;
        }
        let all = format!("{request}\n{}", String::from_utf8_lossy(body));
        let number = number_in(&all).filter(|_| all.contains(&self.namespace));
        let Some(number) = number else {
            return Verdict::Passes;
        };
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let written = written.entry(number).or_default();
        if written.len() >= number {
            return Verdict::IsTooLate;
        }
        written.push(request.to_owned());
        if written.len() == number {
            Verdict::IsLast
        } else {
            Verdict::Passes
        }
    }
}

/// Of the server that is named first; the CA's own name does not tell, its labels do.
fn number_in(text: &str) -> Option<usize> {
    let (_, rest) = text.split_once(PREFIX)?;
    let digits = rest.find(|c: char| !c.is_ascii_digit());
    rest[..digits.unwrap_or(rest.len())].parse().ok()
}

/// Reads up to the empty line. The server is asked to close after its answer.
async fn read_head(client: &mut BufReader<TcpStream>) -> Result<(String, usize)> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        client.read_line(&mut line).await?;
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        if line.trim().is_empty() {
            head.push_str("Connection: close\r\n\r\n");
            return Ok((head, length));
        }
        if !lower.starts_with("connection:") {
            head.push_str(&line);
        }
    }
}

async fn without_tls(cluster: &Cluster, kubeconfig: &Path) -> Result<(Child, SocketAddr)> {
    let mut child = Command::new(cluster.program("kubectl"))
        .args(["proxy", "--port=0"])
        .env("KUBECONFIG", kubeconfig)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let output = child.stdout.take().context("no output")?;
    let mut said = String::new();
    BufReader::new(output).read_line(&mut said).await?;
    let address = said.trim().strip_prefix("Starting to serve on ");
    let address = address.with_context(|| format!("kubectl proxy: {said}"))?;
    Ok((child, address.parse()?))
}

fn config(address: SocketAddr) -> String {
    let named = |kind: &str, content| json!([{"name": "cut", kind: content}]);
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": named("cluster", json!({"server": format!("http://{address}")})),
        "users": named("user", json!({})),
        "contexts": named("context", json!({"cluster": "cut", "user": "cut"})),
        "current-context": "cut",
    });
    config.to_string()
}
