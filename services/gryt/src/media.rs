//! The SFU in this process, behind the same gRPC calls as one elsewhere, over memory instead of
//! a port.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use gryt_sfu::{Sfu, SfuConfig, StartError};
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint, Server};
use tower::service_fn;

/// Between two looks at whether all workers run.
const LOOK: Duration = Duration::from_millis(500);
/// Bytes in flight each way before the writer waits.
const PIPE_BYTES: usize = 256 * 1024;

/// Starts the SFU with one worker, so that one UDP port is all a firewall has to know.
pub(crate) fn start(media_port: u16) -> anyhow::Result<Sfu> {
    let config = SfuConfig {
        media_port,
        workers: Some(NonZeroUsize::MIN),
        ..SfuConfig::default()
    };
    Sfu::start(config).map_err(|error| {
        if let StartError::OpenSocket { source, .. } = &error
            && source.kind() == io::ErrorKind::AddrInUse
        {
            return anyhow!(
                "UDP port {media_port} is in use: stop what uses it, or choose another with \
                 --media-port"
            );
        }
        anyhow::Error::new(error).context("start the media part")
    })
}

/// Serves the SFU's calls until `stop`, and returns the channel to it and what serves it. A broken
/// pipe is made anew at the next call.
pub(crate) fn connect(
    sfu: &Sfu,
    stop: CancellationToken,
) -> anyhow::Result<(Channel, JoinHandle<Result<(), tonic::transport::Error>>)> {
    // One connection at a time is asked for; a second one waits here while the first is taken.
    let (pipes, accepted) = mpsc::channel::<DuplexStream>(1);
    let calls = Server::builder()
        .add_service(sfu.service())
        .serve_with_incoming_shutdown(
            ReceiverStream::new(accepted).map(Ok::<_, io::Error>),
            stop.cancelled_owned(),
        );
    let calls = tokio::spawn(calls);
    let connector = service_fn(move |_| {
        let pipes = pipes.clone();
        async move {
            let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
            pipes
                .send(theirs)
                .await
                .map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
            Ok::<_, io::Error>(TokioIo::new(ours))
        }
    });
    // The name is never looked up.
    let endpoint = Endpoint::try_from("http://sfu.in-process").context("name the media part")?;
    Ok((endpoint.connect_with_connector_lazy(connector), calls))
}

/// Watches the SFU and its calls until `stop`.
///
/// # Errors
/// They ended earlier.
pub(crate) async fn watch(
    sfu: Arc<Sfu>,
    calls: JoinHandle<Result<(), tonic::transport::Error>>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let worker_ended = async {
        while sfu.is_ready() {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => Ok(()),
        ended = calls => {
            ended.context("serve its calls")?.context("serve its calls")?;
            Err(anyhow!("its calls are no longer served"))
        }
        () = worker_ended => Err(anyhow!("a worker ended")),
    }
}
