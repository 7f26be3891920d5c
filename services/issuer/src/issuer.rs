//! The issuer as one value, and what a command line does to its file.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use axum::Router;
use rusqlite::Connection;

use crate::accounts::{self, AccountName, Password};
use crate::config::IssuerConfig;
use crate::database::{Database, DatabaseError};
use crate::invites::Invites;
use crate::keys;
use crate::passwords::{self, Busy, Passwords};
use crate::random::random_text;
use crate::throttle::{Known, Rate, Throttle, Wait};

/// An issuer that is ready to serve.
#[derive(Clone)]
pub struct Issuer {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) config: IssuerConfig,
    pub(crate) database: Database,
    pub(crate) passwords: Passwords,
    pub(crate) throttles: Mutex<Throttles>,
}

/// What is counted against brute force.
pub(crate) struct Throttles {
    pub(crate) sign_ins_by_address: Throttle<IpAddr>,
    /// One attacker cannot lock the owner of an account out: their addresses differ.
    pub(crate) sign_ins_by_place: Throttle<Place>,
    /// Many attackers together are slow all the same, where nobody has signed in before.
    pub(crate) sign_ins_by_account: Throttle<String>,
    pub(crate) known_places: Known<Place>,
    pub(crate) accounts_by_address: Throttle<IpAddr>,
    pub(crate) invites_by_address: Throttle<IpAddr>,
}

/// An account's name, and the network from which somebody says to have it.
pub(crate) type Place = (String, IpAddr);

impl Throttles {
    /// Failed sign-ins: 10 at once, then two a minute per account and address; 30 and six per
    /// address; 200 and two per account from everywhere that it was not signed in from before.
    /// New accounts per address: 100 at once, a class that signs up together, then six a minute.
    /// Wrong invites per address: 20 at once, then six a minute.
    fn new() -> Self {
        Self {
            sign_ins_by_address: Throttle::new(Rate {
                burst: 30,
                every: Duration::from_secs(10),
            }),
            sign_ins_by_place: Throttle::new(Rate {
                burst: 10,
                every: Duration::from_secs(30),
            }),
            sign_ins_by_account: Throttle::new(Rate {
                burst: 200,
                every: Duration::from_secs(30),
            }),
            known_places: Known::default(),
            invites_by_address: Throttle::new(Rate {
                burst: 20,
                every: Duration::from_secs(10),
            }),
            accounts_by_address: Throttle::new(Rate {
                burst: 100,
                every: Duration::from_secs(10),
            }),
        }
    }
}

impl Throttles {
    /// Takes a try of a password from all that count it, or from none.
    pub(crate) fn take_sign_in(&mut self, place: &Place, now: SystemTime) -> Result<(), Wait> {
        let (account, address) = place;
        self.sign_ins_by_address.take(address, now)?;
        if let Err(wait) = self.sign_ins_by_place.take(place, now) {
            self.sign_ins_by_address.give_back(address);
            return Err(wait);
        }
        let taken = self.sign_ins_by_account.take(account, now);
        if taken.is_err() && !self.known_places.has(place) {
            self.sign_ins_by_address.give_back(address);
            self.sign_ins_by_place.give_back(place);
            return taken;
        }
        Ok(())
    }

    /// The password was right: the try costs nothing, and the place is known from here on.
    pub(crate) fn signed_in(&mut self, place: &Place) {
        let (account, address) = place;
        self.sign_ins_by_address.give_back(address);
        self.sign_ins_by_place.forget(place);
        self.sign_ins_by_account.give_back(account);
        self.known_places.add(place);
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer")
            .field("config", &self.shared.config)
            .finish_non_exhaustive()
    }
}

impl Issuer {
    /// Opens the file, or makes it, and its first keys.
    ///
    /// # Errors
    /// A file that cannot be used, or one of a newer Gryt.
    pub fn open(config: IssuerConfig, now: SystemTime) -> Result<Self, DatabaseError> {
        let database = Database::open(&config.database)?;
        database.write(|transaction| keys::signing(transaction, now))?;
        let passwords = Passwords::new().map_err(|Busy| DatabaseError::Stopped)?;
        Ok(Self {
            shared: Arc::new(Shared {
                config,
                database,
                passwords,
                throttles: Mutex::new(Throttles::new()),
            }),
        })
    }

    /// Everything the issuer answers, to be nested at the path of its address. Requests need the
    /// peer's address as `ConnectInfo<SocketAddr>`.
    pub fn router(&self) -> Router {
        crate::http::router(self.clone())
    }

    /// Only the public keys, at `/jwks`.
    pub fn keys_router(&self) -> Router {
        crate::http::keys_router(self.clone())
    }

    /// The invites to make an account here.
    #[must_use]
    pub fn invites(&self) -> Invites {
        Invites::new(self.shared.database.clone())
    }

    pub(crate) fn with_throttles<R>(&self, change: impl FnOnce(&mut Throttles) -> R) -> R {
        let throttles = &self.shared.throttles;
        change(&mut throttles.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes the next signing key into use. Tokens of the old one stay good until they expire.
    /// Returns the new key's id.
    ///
    /// # Errors
    /// The file cannot be written, or the next key is too new.
    pub async fn rotate(&self, now: SystemTime) -> Result<String, RotateError> {
        self.shared
            .database
            .write_later(move |transaction| rotate_if_known(transaction, now))
            .await?
    }
}

/// Takes the next signing key into use in a file that a running issuer may have open, which uses
/// it from its next token on. Returns the new key's id.
///
/// # Errors
/// A file that cannot be used, one of a newer Gryt, or a next key that is too new.
pub fn rotate_key(database: &Path, now: SystemTime) -> Result<String, RotateError> {
    Database::open(database)?.write(|transaction| rotate_if_known(transaction, now))?
}

fn rotate_if_known(
    connection: &Connection,
    now: SystemTime,
) -> rusqlite::Result<Result<String, RotateError>> {
    match keys::wait(connection, now)? {
        Some(wait) => Ok(Err(RotateError::TooSoon { wait })),
        None => keys::rotate(connection, now).map(Ok),
    }
}

/// Why the key was not changed.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// The file cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Servers may not know the next key yet, and would refuse its tokens.
    #[error(
        "the key was changed a moment ago, and servers may not know the next one yet: try again \
         in {} seconds",
        wait.as_secs()
    )]
    TooSoon {
        /// Until the next key is known.
        wait: Duration,
    },
}

/// Why a password was not reset.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    /// The file cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Nobody is called that.
    #[error("there is no account of that name")]
    UnknownAccount,
    /// Argon2 failed.
    #[error("hash the new password")]
    Hash,
}

/// Gives an account a new random password, which is returned, and ends all its sign-ins. A
/// running issuer may have the file open.
///
/// # Errors
/// A file that cannot be used, or a name that nobody has.
pub fn reset_password(database: &Path, name: &str) -> Result<String, ResetError> {
    let name = AccountName::parse(name).ok_or(ResetError::UnknownAccount)?;
    let password: String = random_text()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(20)
        .collect();
    let hash = passwords::hash(&Password::typed(password.clone())).map_err(|_| ResetError::Hash)?;
    let found = Database::open(database)?.write(|transaction| {
        let Some((account, _)) = accounts::by_name(transaction, &name)? else {
            return Ok(false);
        };
        accounts::replace_password(transaction, &account, &hash)?;
        Ok(true)
    })?;
    if found {
        Ok(password)
    } else {
        Err(ResetError::UnknownAccount)
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn place(last: u8) -> Place {
        ("ada".to_owned(), [192, 0, 2, last].into())
    }

    fn tries(throttles: &mut Throttles, place: &Place) -> usize {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        (0..1_000)
            .take_while(|_| throttles.take_sign_in(place, now).is_ok())
            .count()
    }

    #[test]
    fn wrong_passwords_from_one_address_lock_nobody_else_out() {
        let mut throttles = Throttles::new();
        assert_eq!(tries(&mut throttles, &place(1)), 10);
        assert_eq!(tries(&mut throttles, &place(2)), 10);
    }

    #[test]
    fn many_addresses_together_are_slow_but_where_the_account_was_signed_in() {
        let mut throttles = Throttles::new();
        throttles.signed_in(&place(0));
        let all: usize = (1..=100).map(|n| tries(&mut throttles, &place(n))).sum();
        assert_eq!(all, 200);
        assert_eq!(tries(&mut throttles, &place(0)), 10);
    }
}
