//! When what is renewed: pure arithmetic on lifetimes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) not_before: SystemTime,
    pub(super) not_after: SystemTime,
}

/// Certificates are valid from a little before they are made: clocks of nodes differ.
const BACKDATED: Duration = Duration::from_mins(5);

/// Between trusting an authority and its first leaf, and between its last leaf and its end. The
/// kubelet brings a changed Secret within two minutes; a node that is cut off takes longer.
pub(super) const SETTLE: Duration = Duration::from_hours(24);

/// Life of an authority.
pub(super) const AUTHORITY_LIFE: Duration = Duration::from_hours(365 * 24);
/// Life of a leaf for mTLS.
pub(super) const LEAF_LIFE: Duration = Duration::from_hours(30 * 24);
/// Life of a self-signed web certificate. People accept it by hand, so it changes seldom.
pub(super) const WEB_LIFE: Duration = Duration::from_hours(365 * 24);

impl Validity {
    /// In whole seconds, as certificates count.
    pub(super) fn starting(now: SystemTime, life: Duration) -> Self {
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let not_before = UNIX_EPOCH + Duration::from_secs(since.as_secs()) - BACKDATED;
        Self {
            not_before,
            not_after: not_before + life,
        }
    }

    pub(super) fn issued_at(self) -> SystemTime {
        self.not_before + BACKDATED
    }

    /// Two thirds into its life.
    pub(super) fn renew_at(self) -> SystemTime {
        let life = self.not_after.duration_since(self.not_before);
        self.not_before + life.unwrap_or_default() / 3 * 2
    }

    /// Whether it was issued before `now`, give or take the clocks, and need not be renewed.
    pub(super) fn is_good(self, now: SystemTime) -> bool {
        self.not_before <= now + BACKDATED && now < self.renew_at()
    }
}

/// All that decides about an authority's next step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ages {
    pub(super) current: Validity,
    pub(super) next: Option<Validity>,
    pub(super) previous_is_trusted: bool,
    /// Since when every leaf is by `current`, if that is so.
    pub(super) leaves_since: Option<SystemTime>,
}

/// What happens to an authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Keep,
    /// A second authority is made, trusted and not yet used.
    AddNext,
    /// The second signs from here on, the first is still trusted.
    Promote,
    /// Nobody shows a certificate of the old authority any more.
    ForgetPrevious,
}

/// The step that is due.
pub(super) fn step(ages: &Ages, now: SystemTime) -> Step {
    if now < due(ages) && now < ages.current.not_after {
        return Step::Keep;
    }
    match ages.next {
        Some(_) => Step::Promote,
        None if forgets_at(ages).is_some_and(|at| at <= now) => Step::ForgetPrevious,
        None => Step::AddNext,
    }
}

/// When [`step`] is something else than `Keep`.
pub(super) fn due(ages: &Ages) -> SystemTime {
    if let Some(next) = ages.next {
        return next.issued_at() + SETTLE;
    }
    let renews = ages.current.renew_at();
    forgets_at(ages).map_or(renews, |forgets| forgets.min(renews))
}

fn forgets_at(ages: &Ages) -> Option<SystemTime> {
    let since = ages.leaves_since.filter(|_| ages.previous_is_trusted)?;
    Some(since + SETTLE)
}
