//! Trying again what is harmless twice.

use std::time::Duration;

use tokio::time::sleep;

use super::error::Failure;
use super::outcome::is_passing;

const ATTEMPTS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// Six attempts in all, with pauses between them that double.
#[derive(Debug)]
pub(super) struct Pauses {
    left: u32,
    next: Duration,
}

impl Pauses {
    /// For what somebody waits for.
    pub(super) fn new() -> Self {
        Self::of(FIRST_PAUSE)
    }

    /// With a first pause of this length.
    pub(super) fn of(first: Duration) -> Self {
        Self {
            left: ATTEMPTS - 1,
            next: first,
        }
    }

    /// Whether another attempt may work, after the pause that is waited for here.
    pub(super) async fn another<T>(&mut self, ended: &Result<T, Failure>) -> bool {
        let Err(Failure::Execute(error)) = ended else {
            return false;
        };
        if self.left == 0 || !is_passing(error) {
            return false;
        }
        tracing::debug!(%error, "database asked again");
        self.left -= 1;
        sleep(self.next).await;
        self.next *= 2;
        true
    }
}
