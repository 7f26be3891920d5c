//! The ufrag that a seat's checks carry: worker and index in clear, so that the first datagram of
//! an unknown address finds its peer without a search, then random characters.

use crate::random::Random;

const WORKER_DIGITS: usize = 4;
const INDEX_DIGITS: usize = 6;
const RANDOM_CHARACTERS: usize = 10;

/// Makes one for a seat.
pub(crate) fn make(worker: u16, index: usize, random: &mut Random) -> Box<str> {
    let text = random.text::<RANDOM_CHARACTERS>();
    format!("{worker:0WORKER_DIGITS$x}{index:0INDEX_DIGITS$x}{text}").into()
}

/// The index in a ufrag of this worker. Whether the rest is right, the seat there knows.
pub(crate) fn index(ufrag: &str, worker: u16) -> Option<usize> {
    let (front, rest) = ufrag.split_at_checked(WORKER_DIGITS)?;
    let (index, _) = rest.split_at_checked(INDEX_DIGITS)?;
    let named = u16::from_str_radix(front, 16).ok()?;
    let index = usize::from_str_radix(index, 16).ok()?;
    (named == worker).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_read_back_by_its_own_worker_only() {
        let ufrag = make(3, 70_000, &mut Random::new(&[7; 32]));
        assert_eq!(index(&ufrag, 3), Some(70_000));
        assert_eq!(index(&ufrag, 4), None);
        for text in ["", "0003", "000300000", "zzzz000001abc", "ä003ä00001abcdef"] {
            assert_eq!(index(text, 3), None, "{text}");
        }
    }
}
