//! What is printed: a line for each round, and the table of all.

use std::time::Duration;

use gryt_tests::evidence::percentile;

use crate::round::Outcome;

/// What was measured in one round.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures {
    pub(crate) acknowledged: usize,
    /// Messages that were sent more than once, with the same nonce.
    pub(crate) sent_again: usize,
    pub(crate) lost_sessions: usize,
    pub(crate) resumed: usize,
    pub(crate) snapshots: usize,
    /// From when a message was due until it was acknowledged.
    pub(crate) delays: Vec<Duration>,
    /// The longest time in which nothing was acknowledged.
    pub(crate) longest_outage: Duration,
    /// From the end of the fault until all that was due before it was acknowledged.
    pub(crate) caught_up: Duration,
    /// From the end of the fault until the last lost session was there again.
    pub(crate) sessions_back: Duration,
    /// Of the callers of the killed SFU.
    pub(crate) voice_back: Vec<Duration>,
    /// The longest silence in any other call.
    pub(crate) voice_silence: Option<Duration>,
    pub(crate) sign_in_back: Option<Duration>,
}

impl Figures {
    /// By nearest rank.
    pub(crate) fn voice_back_p95(&self) -> Option<Duration> {
        percentile(&self.voice_back, 95)
    }
}

/// The table of all rounds, with a last line for the calls of all killed SFUs.
pub(crate) fn table(outcomes: &[Outcome]) -> String {
    let mut lines: Vec<String> = HEAD.map(str::to_owned).into();
    lines.extend(outcomes.iter().map(row));
    let back = outcomes
        .iter()
        .flat_map(|outcome| &outcome.figures.voice_back);
    let back: Vec<Duration> = back.copied().collect();
    if let (Some(p50), Some(p95)) = (percentile(&back, 50), percentile(&back, 95)) {
        lines.push(format!(
            "voice back on another SFU: p50 {}, p95 {} of {} calls",
            seconds(Some(p50)),
            seconds(Some(p95)),
            back.len()
        ));
    }
    lines.join("\n")
}

const HEAD: [&str; 2] = [
    "fault            |      |acknow-|sent |sessions: lost,     |     delay, s       |no ack-  \
     |caught |sessions|voice,|calls,  |sign-in",
    "                 |      |ledged |again|resumed, snapshots  |   p50    p95    max|nowledge,\
     |up, s  |back, s |p95, s|silent,s|back, s",
];

fn row(outcome: &Outcome) -> String {
    let Outcome {
        fault,
        figures,
        failures,
    } = outcome;
    let delay = |percent| seconds(percentile(&figures.delays, percent));
    format!(
        "{:17}|{:6}|{:7}|{:5}|{:6} {:6} {:6}|{:>6} {:>6} {:>6}|{:>9}|{:>7}|{:>8}|{:>6}|{:>8}|{:>7}",
        fault.name(),
        if failures.is_empty() { "ok" } else { "FAILED" },
        figures.acknowledged,
        figures.sent_again,
        figures.lost_sessions,
        figures.resumed,
        figures.snapshots,
        delay(50),
        delay(95),
        delay(100),
        seconds(Some(figures.longest_outage)),
        seconds(Some(figures.caught_up)),
        seconds(Some(figures.sessions_back)),
        seconds(figures.voice_back_p95()),
        seconds(figures.voice_silence),
        seconds(figures.sign_in_back),
    )
}

fn seconds(duration: Option<Duration>) -> String {
    duration.map_or_else(String::new, |duration| match duration {
        Duration::MAX => "lost".to_owned(),
        duration => format!("{:.2}", duration.as_secs_f64()),
    })
}
