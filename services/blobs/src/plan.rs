//! How an upload is cut into parts. The size decides it, so both ends know it without telling.

use std::fmt;

/// The number of a part, from 1 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartNumber(u16);

impl PartNumber {
    /// Takes a wire value; S3 knows 1..=10,000.
    #[must_use]
    pub fn new(value: u32) -> Option<Self> {
        let value = u16::try_from(value).ok()?;
        (1..=Plan::MAX_PARTS)
            .contains(&value)
            .then_some(Self(value))
    }

    /// The wire value.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for PartNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A size and the parts it comes in: all of [`Plan::PART_BYTES`], the last one what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    size_bytes: u64,
    parts: u16,
}

impl Plan {
    /// The size of every part but the last. S3 wants at least 5 MiB; a browser hashes a part as a
    /// whole, and a connection that breaks costs one part.
    pub const PART_BYTES: u64 = 8 * 1024 * 1024;
    /// As many parts as S3 takes.
    pub const MAX_PARTS: u16 = 10_000;

    /// Plans an upload of this size; `None` if it is empty or too large to be planned, 80 GiB.
    #[must_use]
    pub fn new(size_bytes: u64) -> Option<Self> {
        let parts = u16::try_from(size_bytes.div_ceil(Self::PART_BYTES)).ok()?;
        (1..=Self::MAX_PARTS)
            .contains(&parts)
            .then_some(Self { size_bytes, parts })
    }

    /// The size of the whole.
    #[must_use]
    pub fn size_bytes(self) -> u64 {
        self.size_bytes
    }

    /// The numbers of its parts, ascending.
    pub fn parts(self) -> impl Iterator<Item = PartNumber> {
        (1..=self.parts).map(PartNumber)
    }

    /// How many parts.
    #[must_use]
    pub fn count(self) -> u16 {
        self.parts
    }

    /// The size of one part; `None` if the plan has no such part.
    #[must_use]
    pub fn part_bytes(self, part: PartNumber) -> Option<u64> {
        if part.0 > self.parts {
            return None;
        }
        let before = u64::from(part.0 - 1) * Self::PART_BYTES;
        Some((self.size_bytes - before).min(Self::PART_BYTES))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_add_up_to_the_whole(size in 1_u64..200 * Plan::PART_BYTES) {
            let plan = Plan::new(size).unwrap();
            let sizes: Vec<u64> = plan.parts().map(|part| plan.part_bytes(part).unwrap()).collect();
            prop_assert_eq!(sizes.iter().sum::<u64>(), size);
            prop_assert!(sizes.iter().all(|size| (1..=Plan::PART_BYTES).contains(size)));
        }
    }

    #[test]
    fn nothing_and_too_much_cannot_be_planned() {
        assert_eq!(Plan::new(0), None);
        let most = Plan::PART_BYTES * u64::from(Plan::MAX_PARTS);
        assert!(Plan::new(most).is_some());
        assert_eq!(Plan::new(most + 1), None);
        assert_eq!(Plan::new(u64::MAX), None);
        assert_eq!(PartNumber::new(0), None);
        assert_eq!(PartNumber::new(10_001), None);
        let plan = Plan::new(Plan::PART_BYTES).unwrap();
        assert_eq!(plan.part_bytes(PartNumber::new(2).unwrap()), None);
    }
}
