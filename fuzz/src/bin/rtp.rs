//! A packet of somebody who has the keys and means harm.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|packet: &[u8]| {
    let _ = gryt_media::fuzzing::rtp(packet);
});
