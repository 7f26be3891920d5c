//! A report of somebody who has the keys and means harm.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|compound: &[u8]| {
    let _ = gryt_media::fuzzing::rtcp(compound);
});
