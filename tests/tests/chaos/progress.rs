//! Lines that say how far the run is.

use std::time::Instant;

use gryt_tests::clock;

/// Says what happens, with the seconds since the start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    began: Instant,
}

impl Progress {
    pub(crate) fn begin() -> Self {
        Self {
            began: clock::now(),
        }
    }

    pub(crate) fn say(self, text: &str) {
        let seconds = clock::now().duration_since(self.began).as_secs();
        println!("{seconds:5} s  {text}");
    }
}
