//! A way to a back end that can be cut.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes on what comes. Ends with its value.
pub(crate) struct Way {
    pub(crate) address: SocketAddr,
    cut: watch::Sender<()>,
}

impl Way {
    pub(crate) async fn to(back_end: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (cut, watching) = watch::channel(());
        tokio::spawn(async move {
            let mut ended = watching.clone();
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    () = gone(&mut ended) => return,
                };
                let (mut here, _) = accepted.unwrap();
                let mut watching = watching.clone();
                watching.mark_unchanged();
                let back_end = back_end.clone();
                tokio::spawn(async move {
                    let passing = async {
                        let mut there = TcpStream::connect(back_end).await?;
                        copy_bidirectional(&mut here, &mut there).await
                    };
                    // Either end may go away.
                    tokio::select! {
                        _ = passing => {}
                        _ = watching.changed() => {}
                    }
                });
            }
        });
        Self { address, cut }
    }

    /// Ends all connections. New ones are let through.
    pub(crate) fn cut(&self) {
        self.cut.send_replace(());
    }
}

async fn gone(watching: &mut watch::Receiver<()>) {
    while watching.changed().await.is_ok() {}
}
