//! All of Gryt in one process with embedded parts, for a laptop.

fn main() {}
