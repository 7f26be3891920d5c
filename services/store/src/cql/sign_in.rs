//! Signs in at the database. The password is read for every connection, so that a renewed one needs
//! no restart.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use scylla::authentication::{AuthError, AuthenticatorProvider, AuthenticatorSession};

use super::secret::Credentials;

/// Signs in by SASL PLAIN.
pub(super) struct SignIn(Arc<Door>);

struct Door {
    who: Credentials,
    /// Whether the last connection was let in: only who was in before learns of a refusal here, once.
    /// At the start it is the error that says it.
    let_in: AtomicBool,
}

/// One connection's sign-in.
struct Attempt {
    door: Arc<Door>,
    is_over: bool,
}

impl SignIn {
    pub(super) fn new(who: Credentials) -> Self {
        Self(Arc::new(Door {
            who,
            let_in: AtomicBool::new(false),
        }))
    }
}

impl Door {
    fn refused(&self, error: Option<&io::Error>) {
        if !self.let_in.swap(false, Ordering::Relaxed) {
            return;
        }
        let Credentials { role, password } = &self.who;
        let origin = password.origin();
        match error {
            None => tracing::error!(
                "the database does not let us in any more, trying again: it refuses role \"{role}\", \
                 wrong name or password{origin}"
            ),
            Some(error) => tracing::error!(
                %error,
                "cannot sign in at the database any more, trying again: role \"{role}\"{origin}"
            ),
        }
    }
}

#[async_trait]
impl AuthenticatorProvider for SignIn {
    async fn start_authentication_session(
        &self,
        _authenticator: &str,
    ) -> Result<(Option<Vec<u8>>, Box<dyn AuthenticatorSession>), AuthError> {
        let Credentials { role, password } = &self.0.who;
        let secret = password.read().map_err(|error| {
            self.0.refused(Some(&error));
            let origin = password.origin();
            format!("cannot sign in as \"{role}\"{origin}: {error}")
        })?;
        let answer = format!("\0{role}\0{secret}").into_bytes();
        let attempt = Attempt {
            door: Arc::clone(&self.0),
            is_over: false,
        };
        Ok((Some(answer), Box::new(attempt)))
    }
}

#[async_trait]
impl AuthenticatorSession for Attempt {
    async fn evaluate_challenge(
        &mut self,
        _token: Option<&[u8]>,
    ) -> Result<Option<Vec<u8>>, AuthError> {
        Err("the database asks for more than a password".to_owned())
    }

    async fn success(&mut self, _token: Option<&[u8]>) -> Result<(), AuthError> {
        self.is_over = true;
        self.door.let_in.store(true, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Attempt {
    /// The driver tells a refusal to nobody but whoever runs a statement.
    fn drop(&mut self) {
        if !self.is_over {
            self.door.refused(None);
        }
    }
}
