//! The developer's commands, thin.

fn main() {}
