//! The node's integration tests, in one binary.

#[cfg(test)]
mod node;
