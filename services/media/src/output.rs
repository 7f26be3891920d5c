//! Datagrams that wait for the shell, in one slab that is laid out once.

use std::collections::VecDeque;

use crate::path::Path;

/// The longest datagram that is sent: an Ethernet frame's payload.
pub(crate) const MAX_DATAGRAM_BYTES: usize = 1_500;

/// One datagram to send.
#[derive(Debug, Clone, Copy)]
pub struct Transmit<'a> {
    /// Where it goes.
    pub path: Path,
    /// The bytes.
    pub datagram: &'a [u8],
}

/// First in, first out. Bounded by number and by bytes; when one is used up the newest datagram
/// is refused, so that the order within each SSRC stands. The shell drains after each input,
/// hence only a shell that does not can fill it.
#[derive(Debug)]
pub(crate) struct Output {
    slab: Box<[u8]>,
    used: usize,
    waiting: VecDeque<Waiting>,
    most: usize,
}

#[derive(Debug)]
struct Waiting {
    path: Path,
    start: usize,
    length: usize,
}

impl Output {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            slab: vec![0; most * MAX_DATAGRAM_BYTES].into_boxed_slice(),
            used: 0,
            waiting: VecDeque::with_capacity(most),
            most,
        }
    }

    /// Room for one datagram, to be filled and then pushed.
    pub(crate) fn room(&mut self) -> Option<&mut [u8; MAX_DATAGRAM_BYTES]> {
        if self.waiting.is_empty() {
            self.used = 0;
        }
        if self.waiting.len() == self.most {
            return None;
        }
        self.slab
            .get_mut(self.used..)?
            .first_chunk_mut::<MAX_DATAGRAM_BYTES>()
    }

    /// Queues the first `length` bytes of the room.
    pub(crate) fn push(&mut self, path: Path, length: usize) {
        let start = self.used;
        self.used += length;
        self.waiting.push_back(Waiting {
            path,
            start,
            length,
        });
    }

    pub(crate) fn poll(&mut self) -> Option<Transmit<'_>> {
        let next = self.waiting.pop_front()?;
        Some(Transmit {
            path: next.path,
            datagram: &self.slab[next.start..next.start + next.length],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path() -> Path {
        Path {
            remote: ([10, 0, 0, 1], 5).into(),
            local: [10, 0, 0, 2].into(),
        }
    }

    #[test]
    fn a_full_output_refuses_the_newest_and_recovers_when_drained() {
        let mut output = Output::new(2);
        for round in 0..3_u8 {
            for number in 0..2 {
                output.room().unwrap()[0] = round * 10 + number;
                output.push(path(), 1);
            }
            assert!(output.room().is_none());
            for number in 0..2 {
                assert_eq!(output.poll().unwrap().datagram, [round * 10 + number]);
            }
            assert!(output.poll().is_none());
        }
    }
}
