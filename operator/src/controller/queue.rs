//! The way to a reconcile. Whoever learns something about a server puts its key here; the
//! controller's scheduler keeps each server once, however often it is named.

use std::convert::Infallible;

use futures_util::Stream;
use futures_util::stream::unfold;
use kube::runtime::controller::ReconcileRequest;
use kube::runtime::reflector::ObjectRef;
use tokio::sync::mpsc;

use crate::crd::GrytServer;
use crate::fetch::ServerKey;

/// Keys on their way to the scheduler, which takes them at once. A sender waits when it is full.
const CAPACITY: usize = 1024;

/// The senders' side.
#[derive(Debug, Clone)]
pub(crate) struct Queue(mpsc::Sender<ServerKey>);

/// A queue and the stream that the controller reads.
pub(crate) fn queue() -> (
    Queue,
    impl Stream<Item = Result<ReconcileRequest<GrytServer>, Infallible>>,
) {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    let requests = unfold(receiver, |mut receiver| async move {
        let ServerKey { namespace, name } = receiver.recv().await?;
        let server = ObjectRef::<GrytServer>::new(&name).within(&namespace);
        Some((Ok(ReconcileRequest::from(server)), receiver))
    });
    (Queue(sender), requests)
}

impl Queue {
    /// Asks for a reconcile of each.
    pub(crate) async fn send(&self, keys: impl IntoIterator<Item = ServerKey>) {
        for key in keys {
            // A closed queue means that the controller has ended, and we with it.
            if self.0.send(key).await.is_err() {
                return;
            }
        }
    }
}
