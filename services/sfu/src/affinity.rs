//! Which CPUs this process may use, and the pinning of a thread to one of them.

use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Names the calling thread for the scheduler calls.
const THIS_THREAD: Pid = Pid::from_raw(0);

/// The CPUs of the calling thread's affinity mask, ascending.
pub(crate) fn allowed_cpus() -> Result<Vec<usize>, Errno> {
    let mask = sched_getaffinity(THIS_THREAD)?;
    Ok((0..CpuSet::count())
        .filter(|&cpu| mask.is_set(cpu).unwrap_or(false))
        .collect())
}

/// Keeps the calling thread on one CPU.
pub(crate) fn pin_to(cpu: usize) -> Result<(), Errno> {
    let mut mask = CpuSet::new();
    mask.set(cpu)?;
    sched_setaffinity(THIS_THREAD, &mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_thread_is_allowed_one_cpu() {
        let cpu = *allowed_cpus().unwrap().last().unwrap();
        let seen = std::thread::spawn(move || {
            pin_to(cpu).unwrap();
            allowed_cpus().unwrap()
        });
        assert_eq!(seen.join().unwrap(), [cpu]);
    }
}
