//! The bodies of objects that were not compared yet: after a restart, of all. Objects of one kind
//! are much alike, so each is packed with the first ones of its kind as a dictionary.

use std::collections::HashMap;
use std::sync::Arc;

use lz4_flex::block::{compress_with_dict, decompress_with_dict};
use serde_json::Value;

use crate::objects::Child;

/// The first bodies of each kind, one after the other.
#[derive(Debug, Default)]
pub(super) struct Samples(HashMap<Child, Arc<[u8]>>);

/// A sample is not made longer than this: a server has up to five objects of a kind, of 4 KiB at
/// most, and each packing goes through the whole sample.
const MOST_SAMPLED_BYTES: usize = 12 << 10;

/// A packed body.
#[derive(Debug)]
pub(super) struct Body {
    packed: Box<[u8]>,
    /// Of the text, in bytes.
    length: usize,
    sample: Arc<[u8]>,
}

impl Samples {
    /// Packs a body, and takes it as a sample if there is room.
    pub(super) fn pack(&mut self, kind: Child, text: &str) -> Body {
        let sample = self.0.entry(kind).or_default();
        let body = Body {
            packed: compress_with_dict(text.as_bytes(), sample).into(),
            length: text.len(),
            sample: Arc::clone(sample),
        };
        if sample.len() + text.len() <= MOST_SAMPLED_BYTES {
            *sample = [sample, text.as_bytes()].concat().into();
        }
        body
    }
}

impl Body {
    /// The body as it was.
    pub(super) fn unpack(&self) -> Option<Value> {
        let text = decompress_with_dict(&self.packed, self.length, &self.sample).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body(number: usize) -> Value {
        let labels: HashMap<String, String> = (0..20)
            .map(|label| {
                (
                    format!("example.org/label-{label}"),
                    format!("value {label}"),
                )
            })
            .collect();
        json!({"metadata": {"name": format!("chat-{number}"), "labels": labels}})
    }

    #[test]
    fn bodies_that_are_alike_become_small_and_stay_as_they_were() {
        let mut samples = Samples::default();
        let all: Vec<Body> = (0..100)
            .map(|number| samples.pack(Child::Deployment, &body(number).to_string()))
            .collect();
        for (number, packed) in all.iter().enumerate() {
            assert_eq!(packed.unpack(), Some(body(number)));
        }
        let last = &all[99];
        assert!(last.packed.len() * 10 < last.length, "{last:?}");
    }

    #[test]
    fn samples_have_a_longest_length() {
        let mut samples = Samples::default();
        let long = json!({"a": "a".repeat(MOST_SAMPLED_BYTES)});
        samples.pack(Child::Secret, &long.to_string());
        for number in 0..1000 {
            samples.pack(Child::Secret, &body(number).to_string());
        }
        let sample = &samples.0[&Child::Secret];
        assert!((1..=MOST_SAMPLED_BYTES).contains(&sample.len()));
        let packed = samples.pack(Child::Secret, &long.to_string());
        assert_eq!(packed.unpack(), Some(long));
    }
}
