//! Limits that hold over all processes of a server. Without Redis, or while it does not answer, a
//! process knows of nobody else: its own limits, which it has anyway, are all there is then.

use std::time::Duration;

#[cfg(feature = "redis")]
use crate::redis::quota::Counting;

/// Counts together with the other processes of a server. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Quotas {
    #[cfg(feature = "redis")]
    pub(crate) counting: Option<Counting>,
}

/// An allowance that is spent and grows again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// The time in which it grows by one.
    pub interval: Duration,
    /// How many at once, after a pause.
    pub burst: u32,
}

impl Quotas {
    /// Of a server that runs in this process alone.
    #[must_use]
    pub fn local() -> Self {
        Self::default()
    }

    /// Whether there are other processes to count with.
    #[must_use]
    pub fn are_shared(&self) -> bool {
        #[cfg(feature = "redis")]
        if self.counting.is_some() {
            return true;
        }
        false
    }

    /// Takes one of the allowance of this name, if there is one in all processes together.
    ///
    /// # Errors
    /// After which time there will be one.
    #[cfg_attr(
        not(feature = "redis"),
        expect(clippy::unused_async, reason = "only Redis is waited for")
    )]
    pub async fn take(&self, name: &str, allowance: Allowance) -> Result<(), Duration> {
        #[cfg(feature = "redis")]
        if let Some(counting) = &self.counting {
            return counting.take(name, allowance).await;
        }
        let _ = (name, allowance);
        Ok(())
    }

    /// Says that this process has now taken `here` places of this name, and returns how many all
    /// processes have; `here` if nobody else can be asked.
    #[cfg_attr(
        not(feature = "redis"),
        expect(clippy::unused_async, reason = "only Redis is waited for")
    )]
    pub async fn count(&self, name: &str, here: usize) -> usize {
        #[cfg(feature = "redis")]
        if let Some(counting) = &self.counting {
            return counting.count(name, here).await;
        }
        let _ = name;
        here
    }
}
