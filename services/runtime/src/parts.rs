//! The parts of the process that run side by side. None of them may end before all are told to.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How a part may end.
pub trait Outcome {
    /// The outcome with its error in the common form.
    ///
    /// # Errors
    /// The part failed.
    fn outcome(self) -> anyhow::Result<()>;
}

impl Outcome for () {
    fn outcome(self) -> anyhow::Result<()> {
        Ok(())
    }
}

impl<E: Into<anyhow::Error>> Outcome for Result<(), E> {
    fn outcome(self) -> anyhow::Result<()> {
        self.map_err(Into::into)
    }
}

/// Parts that run until `stop`.
#[derive(Debug)]
pub struct Parts {
    running: JoinSet<anyhow::Result<()>>,
    stop: CancellationToken,
}

impl Parts {
    /// None yet.
    #[must_use]
    pub fn new(stop: CancellationToken) -> Self {
        Self {
            running: JoinSet::new(),
            stop,
        }
    }

    /// Starts a part. It has to end after `stop`, and not before.
    pub fn start<F>(&mut self, name: &'static str, part: F)
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        let stop = self.stop.clone();
        self.running.spawn(async move {
            let outcome = part.await.outcome();
            outcome.with_context(|| format!("{name} failed"))?;
            if stop.is_cancelled() {
                Ok(())
            } else {
                Err(anyhow!("{name} ended before it was told to"))
            }
        });
    }

    /// Waits until all have ended. When one fails, or ends early, it stops the others and gives
    /// them `patience`: a server that lacks a part must not look like a whole one.
    ///
    /// # Errors
    /// The first failure.
    pub async fn end(mut self, patience: Duration) -> anyhow::Result<()> {
        while let Some(ended) = self.running.join_next().await {
            if let Err(error) = flat(ended) {
                tracing::error!(error = format!("{error:#}"), "a part of the server ended");
                self.stop.cancel();
                let rest = async { while self.running.join_next().await.is_some() {} };
                if timeout(patience, rest).await.is_err() {
                    tracing::warn!("some parts did not end in time");
                }
                return Err(error);
            }
        }
        Ok(())
    }
}

fn flat(ended: Result<anyhow::Result<()>, JoinError>) -> anyhow::Result<()> {
    ended.context("a part panicked")?
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn with_one_that_lasts() -> (Parts, CancellationToken) {
        let stop = CancellationToken::new();
        let mut parts = Parts::new(stop.clone());
        parts.start("the lasting one", stop.clone().cancelled_owned());
        (parts, stop)
    }

    #[tokio::test]
    async fn parts_that_end_when_told_to_end_well() {
        let (parts, stop) = with_one_that_lasts();
        stop.cancel();
        parts.end(PATIENCE).await.unwrap();
    }

    #[tokio::test]
    async fn part_that_ends_early_stops_the_others_and_is_named() {
        let (mut parts, stop) = with_one_that_lasts();
        parts.start("signaling", async {});
        let error = parts.end(PATIENCE).await.unwrap_err().to_string();
        assert_eq!(error, "signaling ended before it was told to");
        assert!(stop.is_cancelled());
    }

    #[tokio::test]
    async fn part_that_fails_or_panics_is_a_failure() {
        let (mut parts, stop) = with_one_that_lasts();
        parts.start("signaling", async { Err(io::Error::other("no keeper")) });
        let error = parts.end(PATIENCE).await.unwrap_err();
        assert_eq!(format!("{error:#}"), "signaling failed: no keeper");
        assert!(stop.is_cancelled());

        let (mut parts, stop) = with_one_that_lasts();
        parts.start("signaling", async {
            assert!(stop_never(), "a bug");
        });
        parts.end(PATIENCE).await.unwrap_err();
        assert!(stop.is_cancelled());
    }

    #[tokio::test]
    async fn part_that_does_not_listen_is_not_waited_for() {
        let stop = CancellationToken::new();
        let mut parts = Parts::new(stop);
        parts.start("the deaf one", std::future::pending::<()>());
        parts.start("signaling", async {});
        parts.end(Duration::ZERO).await.unwrap_err();
    }

    fn stop_never() -> bool {
        false
    }
}
