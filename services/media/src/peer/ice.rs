//! ICE-lite (RFC 8445): answers checks, remembers which address pairs are valid, follows the
//! browser's nomination, and caps what an address gets that has not proven to want it.

use std::time::Instant;

use ring::hmac;

use super::IceCredentials;
use super::stun::{BindingRequest, Role};
use crate::path::Path;

/// Pairs remembered; a further one takes the place of the one checked longest ago. Three addresses
/// of a laptop times those of a server with containers are more than a dozen.
pub(crate) const MAX_PAIRS: usize = 32;

/// An unproven address gets at most this many times what it sent.
const AMPLIFICATION: usize = 3;

#[derive(Debug)]
pub(super) struct Ice {
    key: hmac::Key,
    ufrag: Box<str>,
    remote_ufrag: Option<Box<str>>,
    pairs: Vec<Pair>,
    nominated: Option<Path>,
    last_check: Option<Instant>,
}

#[derive(Debug)]
struct Pair {
    path: Path,
    checked: Instant,
    proven: bool,
    /// Bytes that may still go there while it is unproven.
    allowance: usize,
}

/// What a valid check leads to.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) reply: Vec<u8>,
    /// The browser chose this pair and it was not the chosen one before.
    pub(super) nominated: bool,
}

/// Why a datagram got no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Malformed,
    WrongUser,
    NotAuthentic,
}

impl Ice {
    pub(super) fn new(credentials: &IceCredentials) -> Self {
        Self {
            key: hmac::Key::new(
                hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
                credentials.pwd.as_bytes(),
            ),
            ufrag: credentials.ufrag.clone(),
            remote_ufrag: None,
            pairs: Vec::new(),
            nominated: None,
            last_check: None,
        }
    }

    /// From the answer on, checks must name the browser's half of the user name too.
    pub(super) fn set_remote_ufrag(&mut self, ufrag: &str) {
        self.remote_ufrag = Some(ufrag.into());
    }

    pub(super) fn handle(
        &mut self,
        path: Path,
        datagram: &[u8],
        now: Instant,
    ) -> Result<Check, Refusal> {
        let request = BindingRequest::parse(datagram).ok_or(Refusal::Malformed)?;
        if !self.is_our_user(request.username()) {
            return Err(Refusal::WrongUser);
        }
        if !request.is_authentic(&self.key) {
            return Err(Refusal::NotAuthentic);
        }
        self.last_check = Some(now);
        self.note_check(path, datagram.len(), now);
        if request.role() == Some(Role::Controlled) {
            let reply = request.role_conflict(&self.key);
            return Ok(Check {
                reply,
                nominated: false,
            });
        }
        let nominated = request.use_candidate() && self.nominated != Some(path);
        if nominated {
            self.nominated = Some(path);
        }
        Ok(Check {
            reply: request.success(path.remote, &self.key),
            nominated,
        })
    }

    /// Counts bytes that came by a valid pair. `false` when the pair is not valid.
    pub(super) fn received(&mut self, path: Path, bytes: usize) -> bool {
        let Some(pair) = self.pair(path) else {
            return false;
        };
        pair.allowance = pair.allowance.saturating_add(bytes * AMPLIFICATION);
        true
    }

    /// Notes that the pair's address wants what we send: something fresh and authentic came from
    /// it, which a check that someone recorded and sent again is not.
    pub(super) fn proven(&mut self, path: Path) {
        if let Some(pair) = self.pair(path) {
            pair.proven = true;
        }
    }

    /// Whether `bytes` may go to the pair; takes them from its allowance.
    pub(super) fn charge(&mut self, path: Path, bytes: usize) -> bool {
        let Some(pair) = self.pair(path) else {
            return false;
        };
        if pair.proven {
            return true;
        }
        let left = pair.allowance.checked_sub(bytes);
        pair.allowance = left.unwrap_or(pair.allowance);
        left.is_some()
    }

    pub(super) fn nominated(&self) -> Option<Path> {
        self.nominated
    }

    pub(super) fn last_check(&self) -> Option<Instant> {
        self.last_check
    }

    fn pair(&mut self, path: Path) -> Option<&mut Pair> {
        self.pairs.iter_mut().find(|pair| pair.path == path)
    }

    fn is_our_user(&self, username: Option<&str>) -> bool {
        let Some((ours, theirs)) = username.and_then(|name| name.split_once(':')) else {
            return false;
        };
        *ours == *self.ufrag
            && self
                .remote_ufrag
                .as_deref()
                .is_none_or(|known| known == theirs)
    }

    fn note_check(&mut self, path: Path, bytes: usize, now: Instant) {
        if self.received(path, bytes) {
            if let Some(pair) = self.pair(path) {
                pair.checked = now;
            }
            return;
        }
        if self.pairs.len() >= MAX_PAIRS {
            let nominated = self.nominated;
            let oldest = (0..self.pairs.len())
                .filter(|index| Some(self.pairs[*index].path) != nominated)
                .min_by_key(|index| self.pairs[*index].checked);
            if let Some(oldest) = oldest {
                self.pairs.swap_remove(oldest);
            }
        }
        self.pairs.push(Pair {
            path,
            checked: now,
            proven: false,
            allowance: bytes * AMPLIFICATION,
        });
    }
}
