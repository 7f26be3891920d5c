//! Turns GrytServer objects into running servers. One file per step of the reconcile road:
//! fetch (cluster) > validate (pure) > build (pure) > apply (cluster) > status (pure) > patch.

pub mod build;
pub mod class;
pub mod crd;
pub mod names;
pub mod objects;
pub mod observed;
pub mod pki;
pub mod valid;
