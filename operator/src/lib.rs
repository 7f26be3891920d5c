//! Turns GrytServer objects into running servers. One file per step of the reconcile road:
//! fetch (cluster) > validate (pure) > build (pure) > apply (cluster) > status (pure) > patch.

pub mod class;
pub mod crd;
pub mod names;
pub mod observed;
pub mod valid;
