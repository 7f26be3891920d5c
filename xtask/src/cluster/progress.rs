//! Steps that a person waits for: what is done, and how long it took.

use std::time::Instant;

use anyhow::{Context, Result};

/// Does one step and prints its seconds.
///
/// # Errors
/// The step's own, with its name.
pub(crate) fn step<T>(name: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("\u{203a} {name}");
    let started = Instant::now();
    let done = step().with_context(|| name.to_owned())?;
    println!("  {name}: {:.1} s", started.elapsed().as_secs_f64());
    Ok(done)
}
