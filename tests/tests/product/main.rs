//! The scripted tests, in one binary. They run against the whole product, but for `sfu_alone` and
//! `signaling_alone`, which run the parts as the processes of pods.

#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod crowd;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod loudest;
#[cfg(test)]
mod mute;
#[cfg(test)]
mod neighbors;
#[cfg(test)]
mod party;
#[cfg(test)]
mod program;
#[cfg(test)]
mod sfu_alone;
#[cfg(test)]
mod signaling_alone;
