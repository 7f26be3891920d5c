//! Turns GrytServer objects into running servers. One file per step of the reconcile road:
//! fetch (cluster) > validate (pure) > build (pure) > apply (cluster) > status (pure) > patch.

pub mod build;
pub mod claims;
pub mod class;
pub mod conditions;
pub mod crd;
#[cfg(test)]
mod fixture;
pub mod names;
pub mod objects;
pub mod observed;
pub mod pki;
mod quantity;
pub mod refusal;
pub mod status;
pub mod valid;
pub mod validate;
