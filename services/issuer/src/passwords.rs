//! Argon2id on threads that may block, a bounded number at a time.

use std::sync::Arc;
use std::thread;

use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use crate::accounts::Password;
use crate::random::random;

/// Waiting for a core besides those at work; the next one is told to come back.
const QUEUE: usize = 64;

/// Hashes and checks passwords. 19 MiB and two passes each (OWASP's first choice for Argon2id).
pub(crate) struct Passwords {
    queue: Arc<Semaphore>,
    cores: Arc<Semaphore>,
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
            queue: Arc::new(Semaphore::new(cores + QUEUE)),
            cores: Arc::new(Semaphore::new(cores)),
            decoy: hash(&Password::typed("a password of nobody".to_owned()))?.into(),
        })
    }

    pub(crate) async fn hash(&self, password: Password) -> Result<String, Busy> {
        self.work(move || hash(&password)).await?
    }

    /// Whether `password` is the one of `stored`. Without a stored one it takes as long.
    pub(crate) async fn verify(
        &self,
        password: Password,
        stored: Option<String>,
    ) -> Result<bool, Busy> {
        let decoy = Arc::clone(&self.decoy);
        self.work(move || match stored {
            Some(stored) => fits(&password, &stored),
            None => {
                fits(&password, &decoy);
                false
            }
        })
        .await
    }

    /// Does `work` on a core. Once begun it goes on when nobody waits for it any more, so it
    /// keeps its place until it is done.
    async fn work<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Busy> {
        let queued = Arc::clone(&self.queue)
            .try_acquire_owned()
            .map_err(|_| Busy)?;
        let core = Arc::clone(&self.cores)
            .acquire_owned()
            .await
            .map_err(|_| Busy)?;
        tokio::task::spawn_blocking(move || {
            let _places = (queued, core);
            work()
        })
        .await
        .map_err(|_| Busy)
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
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Mutex, mpsc};
    use std::time::Duration;

    use tokio::time::timeout;

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
    async fn work_that_nobody_waits_for_keeps_its_core() {
        let passwords = Passwords::new().unwrap();
        let cores = passwords.cores.available_permits();
        let begun = Arc::new(AtomicUsize::new(0));
        let (gate, closed) = mpsc::channel::<()>();
        let closed = Arc::new(Mutex::new(closed));
        for _ in 0..cores + 5 {
            let (begun, closed) = (Arc::clone(&begun), Arc::clone(&closed));
            let work = passwords.work(move || {
                begun.fetch_add(1, Ordering::Relaxed);
                closed.lock().unwrap().recv().unwrap_err();
            });
            // The client hangs up.
            timeout(Duration::ZERO, work).await.unwrap_err();
        }
        assert_eq!(passwords.cores.available_permits(), 0);

        drop(gate);
        let all = u32::try_from(cores).unwrap();
        let _done = passwords.cores.acquire_many(all).await.unwrap();
        assert_eq!(begun.load(Ordering::Relaxed), cores);
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
