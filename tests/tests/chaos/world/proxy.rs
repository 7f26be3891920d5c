//! A round-robin proxy for TCP without affinity, as a load balancer before the server's processes:
//! each connection goes to the next process, or to the one after that if nobody listens there.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Takes no new connection once dropped.
#[derive(Debug)]
pub(super) struct Proxy {
    address: SocketAddr,
    upstreams: Arc<Upstreams>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Upstreams {
    all: Vec<Upstream>,
    next: AtomicUsize,
}

#[derive(Debug)]
struct Upstream {
    address: SocketAddr,
    /// Connections that it has.
    open: AtomicUsize,
}

impl Proxy {
    pub(super) async fn start(addresses: Vec<SocketAddr>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let upstream = |address| Upstream {
            address,
            open: AtomicUsize::new(0),
        };
        let upstreams = Arc::new(Upstreams {
            all: addresses.into_iter().map(upstream).collect(),
            next: AtomicUsize::new(0),
        });
        Ok(Self {
            address: listener.local_addr()?,
            upstreams: Arc::clone(&upstreams),
            accepting: tokio::spawn(accept(listener, upstreams)),
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The number of the process with the most connections.
    pub(super) fn busiest(&self) -> usize {
        let open = |upstream: &Upstream| upstream.open.load(Ordering::Relaxed);
        let all = self.upstreams.all.iter().enumerate();
        let busiest = all.max_by_key(|(_, upstream)| open(upstream));
        busiest.map_or(0, |(number, _)| number)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, upstreams: Arc<Upstreams>) {
    loop {
        // A failed accept is the client's loss alone.
        if let Ok((client, _)) = listener.accept().await {
            tokio::spawn(carry(client, Arc::clone(&upstreams)));
        }
    }
}

async fn carry(mut client: TcpStream, upstreams: Arc<Upstreams>) {
    for _ in 0..upstreams.all.len() {
        let next = upstreams.next.fetch_add(1, Ordering::Relaxed) % upstreams.all.len();
        let upstream = &upstreams.all[next];
        let Ok(mut server) = TcpStream::connect(upstream.address).await else {
            continue;
        };
        upstream.open.fetch_add(1, Ordering::Relaxed);
        // Whichever side breaks off, the other one is told by the end of its connection.
        let _ = client.set_nodelay(true);
        let _ = server.set_nodelay(true);
        let _ = copy_bidirectional(&mut client, &mut server).await;
        upstream.open.fetch_sub(1, Ordering::Relaxed);
        return;
    }
}
