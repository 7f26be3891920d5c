//! The last word of the process to whoever looks after it: on Kubernetes the container's
//! termination message, which the operator reads.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::sfu::Occupancy;

/// Where a pod's kubelet looks, unless told otherwise.
const OF_A_POD: &str = "/dev/termination-log";

/// The file to write to, if there is one.
pub(crate) fn log(configured: Option<PathBuf>) -> Option<PathBuf> {
    configured.or_else(|| Some(PathBuf::from(OF_A_POD)).filter(|path| path.exists()))
}

/// Tells what was cut, in the place of anything that was told before.
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
    writeln!(file, "cut {rooms} calls with {participants} participants")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cut_is_told_in_one_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = log(Some(dir.path().join("end"))).unwrap();
        for participants in [123, 4] {
            let cut = Occupancy {
                rooms: 2,
                participants,
            };
            tell(&path, cut).unwrap();
        }
        let told = std::fs::read_to_string(path).unwrap();
        assert_eq!(told, "cut 2 calls with 4 participants\n");
    }
}
