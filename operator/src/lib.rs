//! Turns GrytServer objects into running servers. One file per step of the reconcile road:
//! fetch (cluster) > validate (pure) > build (pure) > apply (cluster) > status (pure) > patch.

pub mod apply;
pub mod build;
pub mod claims;
pub mod class;
pub mod conditions;
pub mod config;
mod context;
pub mod controller;
pub mod crd;
pub mod endings;
pub mod events;
pub mod fetch;
#[cfg(test)]
mod fixture;
pub mod labels;
pub mod lease;
pub mod metrics;
pub mod names;
pub mod objects;
pub mod observed;
pub mod pki;
pub mod probe;
mod quantity;
pub mod record;
pub mod refusal;
pub mod rollout;
pub mod secrets;
pub mod status;
pub mod valid;
pub mod validate;
mod version;
