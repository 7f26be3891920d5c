//! The writing thread: group commit.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use crate::error::Error;

/// Writes that wait at most; with more, callers wait for a place.
const QUEUE: usize = 1024;

/// Writes that share a transaction at most, so that the first of them does not wait too long.
const BATCH: usize = 256;

/// The queue of the writing thread. Dropping it lets the thread finish what is queued, and waits.
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(
        path: &Path,
        connection: Connection,
        commits: Arc<AtomicU64>,
    ) -> Result<Self, Error> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let thread = thread::Builder::new()
            .name("sqlite-write".to_owned())
            .spawn(move || run(connection, queue, &commits))
            .map_err(|source| Error::Open {
                path: path.to_owned(),
                source: source.into(),
            })?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    pub(super) async fn write<T, U, W, A>(&self, work: W, then: A) -> Result<U, Error>
    where
        T: Send + 'static,
        U: Send + 'static,
        W: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        A: FnOnce(T) -> U + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Write {
            state: State::Waiting(work),
            then,
            reply,
        };
        let jobs = self.jobs.as_ref().ok_or(Error::Closed)?;
        jobs.send(Box::new(job)).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // It panicked if this fails, and every caller was told `Closed`.
            let _ = thread.join();
        }
    }
}

fn run(mut connection: Connection, mut queue: mpsc::Receiver<Box<dyn Job>>, commits: &AtomicU64) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.blocking_recv_many(&mut batch, BATCH) > 0 {
        let outcome = commit(&mut connection, &mut batch).map_err(Arc::new);
        match &outcome {
            Ok(()) => _ = commits.fetch_add(1, Ordering::Relaxed),
            Err(error) => tracing::error!(%error, writes = batch.len(), "commit failed"),
        }
        for job in batch.drain(..) {
            job.finish(outcome.as_ref().copied());
        }
    }
}

/// Performs all jobs in one transaction. A job that fails is undone alone.
fn commit(connection: &mut Connection, batch: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for job in batch {
        transaction.prepare_cached("SAVEPOINT job")?.execute([])?;
        let kept = job.perform(&transaction);
        if transaction.is_autocommit() {
            // A full disk or an I/O error rolled the whole transaction back under us. Going on
            // would commit the rest of the batch job by job.
            break;
        }
        if !kept {
            transaction.prepare_cached("ROLLBACK TO job")?.execute([])?;
        }
        transaction.prepare_cached("RELEASE job")?.execute([])?;
    }
    transaction.commit()
}

trait Job: Send {
    /// Does the work within the batch's transaction; false if it failed.
    fn perform(&mut self, connection: &Connection) -> bool;
    /// Answers the caller, after the batch's transaction ended like this.
    fn finish(self: Box<Self>, committed: Result<(), &Arc<rusqlite::Error>>);
}

struct Write<T, U, W, A> {
    state: State<T, W>,
    then: A,
    reply: oneshot::Sender<Result<U, Error>>,
}

enum State<T, W> {
    Waiting(W),
    Performing,
    Performed(T),
    Refused(rusqlite::Error),
}

impl<T, U, W, A> Job for Write<T, U, W, A>
where
    T: Send,
    U: Send,
    W: FnOnce(&Connection) -> rusqlite::Result<T> + Send,
    A: FnOnce(T) -> U + Send,
{
    fn perform(&mut self, connection: &Connection) -> bool {
        let State::Waiting(work) = std::mem::replace(&mut self.state, State::Performing) else {
            return false;
        };
        self.state = match work(connection) {
            Ok(value) => State::Performed(value),
            Err(error) => State::Refused(error),
        };
        matches!(self.state, State::Performed(_))
    }

    fn finish(self: Box<Self>, committed: Result<(), &Arc<rusqlite::Error>>) {
        let Self { state, then, reply } = *self;
        let answer = match (state, committed) {
            (State::Refused(error), _) => Err(Error::Write(error.into())),
            (State::Performed(value), Ok(())) => Ok(then(value)),
            (State::Performed(_) | State::Waiting(_) | State::Performing, Err(error)) => {
                Err(Error::Write(Arc::clone(error).into()))
            }
            (State::Waiting(_) | State::Performing, Ok(())) => Err(Error::Closed),
        };
        // A caller that is gone does not need it.
        let _ = reply.send(answer);
    }
}
