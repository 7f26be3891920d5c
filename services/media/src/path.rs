//! Where a datagram came from or goes to.

use std::net::{IpAddr, SocketAddr};

/// One address pair. The port of ours is the worker's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// The client's address, as the socket saw it.
    pub remote: SocketAddr,
    /// Our address that the datagram came to, so that the reply leaves from it.
    pub local: IpAddr,
}

/// Addresses are personal data, so this shows none.
impl std::fmt::Debug for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Path(..)")
    }
}
