//! One client's place in the event log, and what may not happen to it.

use super::Violation;

/// A place in the event log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// One life of the log.
    pub epoch: String,
    /// The newest event; 0 for none.
    pub event_id: u64,
}

/// Follows the log over however many sockets.
#[derive(Debug, Clone, Default)]
pub struct Following {
    place: Option<Place>,
}

impl Following {
    /// Where to resume.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// A server said that what follows goes on behind its own word of where that is.
    ///
    /// # Errors
    /// [`Violation::ResumedElsewhere`] if that is not the last event that came.
    pub fn resume(&mut self, said: Place) -> Result<(), Violation> {
        let last = self.place.replace(said.clone());
        if last.as_ref() == Some(&said) {
            return Ok(());
        }
        Err(Violation::ResumedElsewhere { last, said })
    }

    /// A server gave a snapshot, which stands at `said`.
    pub fn begin(&mut self, said: Place) {
        self.place = Some(said);
    }

    /// A durable event came. Its place is the latest one then, in any case.
    ///
    /// # Errors
    /// [`Violation::Gap`] or [`Violation::Repeated`] if another one was due.
    pub fn event(&mut self, came: u64) -> Result<Option<&Place>, Violation> {
        let Some(place) = &mut self.place else {
            return Ok(None);
        };
        let last = place.clone();
        place.event_id = came;
        if came <= last.event_id {
            return Err(Violation::Repeated { last, came });
        }
        if came != last.event_id + 1 {
            return Err(Violation::Gap { last, came });
        }
        Ok(self.place.as_ref())
    }
}
