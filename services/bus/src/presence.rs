//! Who is online: members with a session in any process of a server. This process says who is here,
//! and hears of everyone. Knows no names, no permissions and no sockets.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gryt_model::MemberId;
use tokio::sync::Notify;

#[cfg(feature = "redis")]
pub(crate) mod elsewhere;
#[cfg(test)]
mod tests;

#[cfg(feature = "redis")]
use elsewhere::Elsewhere;

/// The presence of one server, as one process tells and sees it. Cheap to clone.
///
/// What is kept is bounded by the members who are online; changes that nobody has taken yet are
/// merged by member, so that a slow reader misses a flicker but never the outcome.
#[derive(Debug, Clone)]
pub struct Presence {
    pub(crate) shared: Arc<Shared>,
}

/// A member came online, or is online nowhere any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresenceChange {
    /// Who.
    pub member: MemberId,
    /// Whether they are online.
    pub online: bool,
}

#[derive(Debug)]
pub(crate) struct Shared {
    picture: Mutex<Picture>,
    /// Somebody's presence changed.
    changed: Notify,
    /// There is something to write for the other processes.
    #[cfg(feature = "redis")]
    pub(crate) unwritten: Notify,
}

impl Presence {
    /// Of a server that runs in this process alone.
    #[must_use]
    pub fn local() -> Self {
        Self::of(Picture::default())
    }

    /// Of a server that runs in several processes.
    #[cfg(feature = "redis")]
    pub(crate) fn shared() -> Self {
        Self::of(Picture {
            elsewhere: Some(Elsewhere::default()),
            ..Picture::default()
        })
    }

    fn of(picture: Picture) -> Self {
        Self {
            shared: Arc::new(Shared {
                picture: Mutex::new(picture),
                changed: Notify::new(),
                #[cfg(feature = "redis")]
                unwritten: Notify::new(),
            }),
        }
    }

    /// Says whether a member has a session in this process. Never waits.
    pub fn set(&self, member: &MemberId, here: bool) {
        self.shared.with(|picture| picture.set_here(member, here));
        #[cfg(feature = "redis")]
        self.shared.unwritten.notify_one();
    }

    /// Waits for changes of who is online anywhere, and takes all there are. For one reader. Cancel
    /// safe: a dropped call loses nothing.
    pub async fn changes(&self) -> Vec<PresenceChange> {
        loop {
            let changes = self.shared.with(Picture::take_changes);
            if !changes.is_empty() {
                return changes;
            }
            self.shared.changed.notified().await;
        }
    }
}

impl Shared {
    /// Looks at the picture or changes it. The reader looks for changes afterwards.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Picture) -> T) -> T {
        let mut picture = self.lock();
        let outcome = act(&mut picture);
        let has_news = !picture.unsure.is_empty();
        drop(picture);
        if has_news {
            self.changed.notify_one();
        }
        outcome
    }

    fn lock(&self) -> MutexGuard<'_, Picture> {
        self.picture.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who is online where.
#[derive(Debug, Default)]
pub(crate) struct Picture {
    here: BTreeSet<MemberId>,
    #[cfg(feature = "redis")]
    elsewhere: Option<Elsewhere>,
    /// Who is online as far as the reader was told.
    told: BTreeSet<MemberId>,
    /// For whom that may not be so any more.
    unsure: BTreeSet<MemberId>,
}

impl Picture {
    fn set_here(&mut self, member: &MemberId, here: bool) {
        let is_news = if here {
            self.here.insert(member.clone())
        } else {
            self.here.remove(member)
        };
        if !is_news {
            return;
        }
        self.unsure.insert(member.clone());
        #[cfg(feature = "redis")]
        if let Some(elsewhere) = &mut self.elsewhere {
            elsewhere.unwritten.insert(member.clone());
        }
    }

    fn take_changes(&mut self) -> Vec<PresenceChange> {
        let mut changes = Vec::new();
        for member in std::mem::take(&mut self.unsure) {
            let online = self.is_online(&member);
            let is_news = if online {
                self.told.insert(member.clone())
            } else {
                self.told.remove(&member)
            };
            if is_news {
                changes.push(PresenceChange { member, online });
            }
        }
        changes
    }

    fn is_online(&self, member: &MemberId) -> bool {
        #[cfg(feature = "redis")]
        if let Some(elsewhere) = &self.elsewhere
            && elsewhere.has(member)
        {
            return true;
        }
        self.here.contains(member)
    }
}
