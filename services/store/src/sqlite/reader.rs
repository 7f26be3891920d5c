//! The reading thread. WAL lets it go on while the other one writes.

use std::path::Path;
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::error::Error;

/// Reads that wait at most; with more, callers wait for a place.
const QUEUE: usize = 1024;

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// The queue of the reading thread. Dropping it lets the thread finish what is queued, and waits.
pub(super) struct Reader {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    pub(super) fn start(path: &Path, connection: Connection) -> Result<Self, Error> {
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE);
        let run = move || {
            while let Some(job) = queue.blocking_recv() {
                job(&connection);
            }
        };
        let thread = thread::Builder::new()
            .name("sqlite-read".to_owned())
            .spawn(run)
            .map_err(|source| Error::Open {
                path: path.to_owned(),
                source: source.into(),
            })?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    pub(super) async fn read<T, W>(&self, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // A caller that is gone does not need it.
            let _ = reply.send(work(connection));
        });
        let jobs = self.jobs.as_ref().ok_or(Error::Closed)?;
        jobs.send(job).await.map_err(|_| Error::Closed)?;
        let answer = answer.await.map_err(|_| Error::Closed)?;
        answer.map_err(|error| Error::Read(error.into()))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // It panicked if this fails, and every caller was told `Closed`.
            let _ = thread.join();
        }
    }
}
