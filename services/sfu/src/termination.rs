//! The last word of the process to whoever looks after it: on Kubernetes the container's
//! termination message, which the operator reads.

use std::convert::Infallible;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::sfu::{Occupancy, Sfu};

/// Where a pod's kubelet looks, unless told otherwise.
const OF_A_POD: &str = "/dev/termination-log";

/// How often a node that drains corrects its last word.
const EVERY: Duration = Duration::from_millis(500);

/// The file to write to, if there is one.
pub(crate) fn log(configured: Option<PathBuf>) -> Option<PathBuf> {
    configured.or_else(|| Some(PathBuf::from(OF_A_POD)).filter(|path| path.exists()))
}

/// Keeps in the file what is cut if the process ends at once: whoever gives it less time to drain
/// than it was told kills it in the middle.
pub(crate) async fn follow(sfu: &Sfu, path: Option<&Path>) -> Infallible {
    let Some(path) = path else {
        return std::future::pending().await;
    };
    let mut ticks = tokio::time::interval(EVERY);
    let mut told = None;
    loop {
        ticks.tick().await;
        let cut = sfu.occupancy();
        if told == Some(cut) {
            continue;
        }
        told = Some(cut);
        if let Err(error) = tell(path, cut) {
            tracing::warn!(%error, path = %path.display(), "cannot tell what would be cut");
        }
    }
}

/// Tells what is cut, in the place of anything that was told before; nothing if nobody is.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn tell(path: &Path, cut: Occupancy) -> io::Result<()> {
    let Occupancy {
        rooms,
        participants,
    } = cut;
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    if participants == 0 {
        return Ok(());
    }
    writeln!(file, "cut {rooms} calls with {participants} participants")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_is_told_in_one_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = log(Some(dir.path().join("end"))).unwrap();
        let told = |participants| {
            let cut = Occupancy {
                rooms: 2,
                participants,
            };
            tell(&path, cut).unwrap();
            std::fs::read_to_string(&path).unwrap()
        };
        assert_eq!(told(123), "cut 2 calls with 123 participants\n");
        assert_eq!(told(4), "cut 2 calls with 4 participants\n");
        assert_eq!(told(0), "");
    }
}
