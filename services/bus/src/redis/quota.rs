//! [`Quotas`](crate::Quotas) in Redis, on the connection that presence holds. What does not answer
//! at once is not waited for: a limit must never be what stops a server.

use std::sync::LazyLock;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, Script};
use tokio::sync::watch;
use tokio::time::timeout;

use super::session::millis;
use crate::quota::Allowance;

static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("quota_take.lua")));
static COUNT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("quota_count.lua")));

/// A slower answer is none.
const ANSWER_WITHIN: Duration = Duration::from_millis(250);
/// Counts of places are forgotten after it: a day, the longest life of a session, and an hour.
const LIFE: Duration = Duration::from_hours(25);

/// The way to Redis, where there is one at the moment.
#[derive(Debug, Clone)]
pub(crate) struct Counting {
    /// `{server id}:quota:`
    pub(super) prefix: String,
    /// Until when each process is there, so that the places of one that died do not count.
    pub(super) leases: String,
    pub(super) process: String,
    pub(super) connection: watch::Receiver<Option<MultiplexedConnection>>,
}

impl Counting {
    pub(crate) async fn take(&self, name: &str, allowance: Allowance) -> Result<(), Duration> {
        let Allowance { interval, burst } = allowance;
        let mut take = TAKE.key(format!("{}rate:{name}", self.prefix));
        take.arg(micros(interval)).arg(micros(interval * burst));
        let Some(mut connection) = self.connection() else {
            return Ok(());
        };
        let answer: Option<i64> = in_time(take.invoke_async(&mut connection)).await;
        match answer.map(u64::try_from) {
            Some(Ok(wait_us)) => Err(Duration::from_micros(wait_us)),
            Some(Err(_)) | None => Ok(()),
        }
    }

    pub(crate) async fn count(&self, name: &str, here: usize) -> usize {
        let mut count = COUNT.key(format!("{}places:{name}", self.prefix));
        count
            .key(&self.leases)
            .arg(&self.process)
            .arg(here)
            .arg(millis(LIFE));
        let Some(mut connection) = self.connection() else {
            return here;
        };
        let all: Option<usize> = in_time(count.invoke_async(&mut connection)).await;
        all.unwrap_or(here)
    }

    fn connection(&self) -> Option<MultiplexedConnection> {
        self.connection.borrow().clone()
    }
}

async fn in_time<T>(asking: impl Future<Output = Result<T, RedisError>>) -> Option<T> {
    match timeout(ANSWER_WITHIN, asking).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            tracing::debug!(%error, "redis did not count");
            None
        }
        Err(_) => None,
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
