//! The published keys of one issuer: fetched when needed, kept when the issuer is gone.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use serde::Deserialize;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::fetch::{FetchError, Source};
use super::{Algorithm, AuthError, IssuerConfig};

/// Keys older than this are fetched again, in the background.
const FRESH: Duration = Duration::from_secs(600);
/// Between two fetches, whatever the tokens say: a storm of made-up key ids costs the issuer one.
const PAUSE: Duration = Duration::from_secs(30);
/// Between two fetches while none has worked yet: at the start the issuer may come up after us.
const PAUSE_WHILE_EMPTY: Duration = Duration::from_secs(1);
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_KEYS: usize = 64;

/// One verification key. Its algorithm is a property of the key, never of a token.
pub(super) struct Key {
    pub(super) algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

pub(super) struct Keys {
    shared: Arc<Shared>,
}

struct Shared {
    /// The issuer's name, for the log.
    issuer: Box<str>,
    source: Source,
    algorithms: Vec<Algorithm>,
    leeway: Duration,
    set: RwLock<KeySet>,
    /// Held for the length of a fetch, so that there is one at a time.
    flight: Arc<Mutex<Flight>>,
}

#[derive(Default)]
struct KeySet {
    by_kid: BTreeMap<String, Arc<Key>>,
    fetched_at: Option<SystemTime>,
}

#[derive(Default)]
struct Flight {
    last_attempt: Option<SystemTime>,
    /// The last attempt failed.
    failing: bool,
}

#[derive(Debug, thiserror::Error)]
enum RefreshError {
    #[error("no answer within {FETCH_TIMEOUT:?}")]
    TimedOut,
    #[error("fetch the key set")]
    Fetch(#[source] FetchError),
    #[error("read the key set")]
    Parse(#[source] serde_json::Error),
    #[error("the key set has no key of an accepted algorithm")]
    NoKey,
}

impl Keys {
    pub(super) fn new(config: &IssuerConfig) -> Self {
        Self {
            shared: Arc::new(Shared {
                issuer: config.name.clone(),
                source: Source {
                    issuer: config.issuer.clone(),
                    keys: config.keys.clone(),
                    ca_file: config.ca_file.clone(),
                },
                algorithms: config.algorithms.clone(),
                leeway: config.leeway,
                set: RwLock::default(),
                flight: Arc::default(),
            }),
        }
    }

    /// The key named `kid`; an unknown one waits for a fetch if one is due. `issued_at`: when the
    /// token says that it was signed.
    pub(super) async fn find(
        &self,
        kid: &str,
        issued_at: Option<SystemTime>,
        now: SystemTime,
    ) -> Result<Arc<Key>, AuthError> {
        if let Some(key) = self.shared.known(kid) {
            self.refresh_if_stale(now);
            return Ok(key);
        }
        let flight = Arc::clone(&self.shared.flight).lock_owned().await;
        if let Some(key) = self.shared.known(kid) {
            return Ok(key);
        }
        if self.shared.is_due(&flight, now) {
            // In a task of its own: a caller that hangs up must not cancel the fetch for all.
            let fetch = Arc::clone(&self.shared).refresh(flight, now);
            if tokio::spawn(fetch).await.is_err() {
                tracing::error!("fetching the issuer's keys stopped early");
            }
        }
        match self.shared.known(kid) {
            Some(key) => Ok(key),
            None if self.shared.is_empty() => Err(AuthError::KeysUnavailable),
            None if self.shared.may_be_older_than(issued_at) => Err(AuthError::KeyNotFetched),
            None => Err(AuthError::UnknownKey),
        }
    }

    fn refresh_if_stale(&self, now: SystemTime) {
        if !self.shared.is_stale(now) {
            return;
        }
        let Ok(flight) = Arc::clone(&self.shared.flight).try_lock_owned() else {
            return;
        };
        if self.shared.is_due(&flight, now) {
            tokio::spawn(Arc::clone(&self.shared).refresh(flight, now));
        }
    }
}

impl Shared {
    fn known(&self, kid: &str) -> Option<Arc<Key>> {
        let set = self.set.read().unwrap_or_else(PoisonError::into_inner);
        set.by_kid.get(kid).cloned()
    }

    fn is_empty(&self) -> bool {
        let set = self.set.read().unwrap_or_else(PoisonError::into_inner);
        set.by_kid.is_empty()
    }

    fn is_stale(&self, now: SystemTime) -> bool {
        let set = self.set.read().unwrap_or_else(PoisonError::into_inner);
        set.fetched_at.is_none_or(|at| distance(at, now) >= FRESH)
    }

    /// Whether a key may have been published after the set was fetched, and signed then.
    fn may_be_older_than(&self, issued_at: Option<SystemTime>) -> bool {
        let set = self.set.read().unwrap_or_else(PoisonError::into_inner);
        match (issued_at, set.fetched_at) {
            (Some(issued_at), Some(fetched_at)) => issued_at + self.leeway > fetched_at,
            (Some(_), None) | (None, _) => false,
        }
    }

    fn is_due(&self, flight: &Flight, now: SystemTime) -> bool {
        let pause = if self.is_empty() {
            PAUSE_WHILE_EMPTY
        } else {
            PAUSE
        };
        flight
            .last_attempt
            .is_none_or(|at| distance(at, now) >= pause)
    }

    async fn refresh(self: Arc<Self>, mut flight: OwnedMutexGuard<Flight>, now: SystemTime) {
        flight.last_attempt = Some(now);
        let fetched = tokio::time::timeout(FETCH_TIMEOUT, self.fetch())
            .await
            .unwrap_or(Err(RefreshError::TimedOut));
        let issuer = &*self.issuer;
        match fetched {
            Ok(by_kid) => {
                if flight.failing {
                    tracing::info!(issuer, "the issuer's keys can be fetched again");
                }
                flight.failing = false;
                tracing::debug!(issuer, keys = by_kid.len(), "fetched the issuer's keys");
                *self.set.write().unwrap_or_else(PoisonError::into_inner) = KeySet {
                    by_kid,
                    fetched_at: Some(now),
                };
            }
            Err(error) => {
                // Once for an outage, however long it is.
                if !flight.failing {
                    tracing::warn!(
                        issuer,
                        error = &error as &dyn std::error::Error,
                        "could not fetch the issuer's keys, the known ones stay"
                    );
                }
                flight.failing = true;
            }
        }
    }

    async fn fetch(&self) -> Result<BTreeMap<String, Arc<Key>>, RefreshError> {
        let body = self.source.key_set().await.map_err(RefreshError::Fetch)?;
        parse(&body, &self.algorithms)
    }
}

#[derive(Deserialize)]
struct PublishedSet {
    keys: Vec<serde_json::Value>,
}

/// Takes the keys we can use; foreign kinds are passed over, as RFC 7517 section 5 asks.
fn parse(body: &[u8], accepted: &[Algorithm]) -> Result<BTreeMap<String, Arc<Key>>, RefreshError> {
    let set: PublishedSet = serde_json::from_slice(body).map_err(RefreshError::Parse)?;
    let by_kid: BTreeMap<_, _> = set
        .keys
        .into_iter()
        .take(MAX_KEYS)
        .filter_map(|value| serde_json::from_value::<Jwk>(value).ok())
        .filter_map(|jwk| usable(&jwk, accepted))
        .collect();
    if by_kid.is_empty() {
        return Err(RefreshError::NoKey);
    }
    Ok(by_kid)
}

fn usable(jwk: &Jwk, accepted: &[Algorithm]) -> Option<(String, Arc<Key>)> {
    let algorithm = algorithm(jwk)?;
    let for_signatures = matches!(
        jwk.common.public_key_use,
        None | Some(PublicKeyUse::Signature)
    );
    if !for_signatures || !accepted.contains(&algorithm) {
        return None;
    }
    let decoding = DecodingKey::from_jwk(jwk).ok()?;
    let kid = jwk.common.key_id.clone()?;
    Some((
        kid,
        Arc::new(Key {
            algorithm,
            decoding,
        }),
    ))
}

/// What the key's kind can be used for, narrowed to what the issuer says it is for.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's enums grow; what we do not name we do not accept"
)]
fn algorithm(jwk: &Jwk) -> Option<Algorithm> {
    let named = jwk.common.key_algorithm;
    match &jwk.algorithm {
        AlgorithmParameters::EllipticCurve(key) => match (&key.curve, named) {
            (EllipticCurve::P256, None | Some(KeyAlgorithm::ES256)) => Some(Algorithm::Es256),
            (EllipticCurve::P384, None | Some(KeyAlgorithm::ES384)) => Some(Algorithm::Es384),
            _ => None,
        },
        AlgorithmParameters::OctetKeyPair(key) => match (&key.curve, named) {
            (EllipticCurve::Ed25519, None | Some(KeyAlgorithm::EdDSA)) => Some(Algorithm::EdDsa),
            _ => None,
        },
        AlgorithmParameters::RSA(_) => match named {
            None | Some(KeyAlgorithm::RS256) => Some(Algorithm::Rs256),
            Some(KeyAlgorithm::PS256) => Some(Algorithm::Ps256),
            Some(_) => None,
        },
        _ => None,
    }
}

/// The wall clock may be set back; then a far future counts as long ago.
fn distance(at: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(at)
        .unwrap_or_else(|ahead| ahead.duration())
}
