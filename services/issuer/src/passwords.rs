//! Argon2id on threads that may block, a bounded number at a time.

use std::sync::Arc;
use std::thread;

use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::accounts::Password;
use crate::random::random;

/// Waiting for a core besides those at work; the next one is told to come back.
const QUEUE: usize = 64;

/// Hashes and checks passwords. 19 MiB and two passes each (OWASP's first choice for Argon2id).
pub(crate) struct Passwords {
    queue: Semaphore,
    cores: Semaphore,
    /// Checked when there is no such account, so that the answer takes as long.
    decoy: Arc<str>,
}

/// Too many are waiting, or hashing failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("hash a password")]
pub(crate) struct Busy;

impl Passwords {
    pub(crate) fn new() -> Result<Self, Busy> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            queue: Semaphore::new(cores + QUEUE),
            cores: Semaphore::new(cores),
            decoy: hash(&Password::typed("a password of nobody".to_owned()))?.into(),
        })
    }

    pub(crate) async fn hash(&self, password: Password) -> Result<String, Busy> {
        let (_queued, _core) = self.enter().await?;
        tokio::task::spawn_blocking(move || hash(&password))
            .await
            .map_err(|_| Busy)?
    }

    /// Whether `password` is the one of `stored`. Without a stored one it takes as long.
    pub(crate) async fn verify(
        &self,
        password: Password,
        stored: Option<String>,
    ) -> Result<bool, Busy> {
        let (_queued, _core) = self.enter().await?;
        let decoy = Arc::clone(&self.decoy);
        tokio::task::spawn_blocking(move || match stored {
            Some(stored) => fits(&password, &stored),
            None => {
                fits(&password, &decoy);
                false
            }
        })
        .await
        .map_err(|_| Busy)
    }

    async fn enter(&self) -> Result<(SemaphorePermit<'_>, SemaphorePermit<'_>), Busy> {
        let queued = self.queue.try_acquire().map_err(|_| Busy)?;
        let core = self.cores.acquire().await.map_err(|_| Busy)?;
        Ok((queued, core))
    }
}

/// Hashes on this thread, for a command line.
pub(crate) fn hash(password: &Password) -> Result<String, Busy> {
    let salt = SaltString::encode_b64(&random::<16>()).map_err(|_| Busy)?;
    argon2id()
        .hash_password(password.expose().as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(|_| Busy)
}

fn fits(password: &Password, stored: &str) -> bool {
    PasswordHash::new(stored).is_ok_and(|stored| {
        argon2id()
            .verify_password(password.expose().as_bytes(), &stored)
            .is_ok()
    })
}

fn argon2id() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Password {
        Password::typed(text.to_owned())
    }

    #[tokio::test]
    async fn hash_is_argon2id_and_fits_only_its_password() {
        let passwords = Passwords::new().unwrap();
        let stored = passwords.hash(typed("correct horse")).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));

        let verify = async |text, stored| passwords.verify(typed(text), stored).await.unwrap();
        assert!(verify("correct horse", Some(stored.clone())).await);
        assert!(!verify("correct house", Some(stored)).await);
        assert!(!verify("a password of nobody", None).await);
        assert!(!verify("x", Some("not a hash".to_owned())).await);
    }

    #[tokio::test]
    async fn crowd_at_the_door_is_told_to_come_back() {
        let passwords = Passwords::new().unwrap();
        let all = passwords.queue.available_permits();
        let _crowd = passwords
            .queue
            .try_acquire_many(u32::try_from(all).unwrap())
            .unwrap();
        assert_eq!(passwords.hash(typed("x")).await, Err(Busy));
    }
}
