//! How many datagrams the kernel dropped because a socket's receive queue was full.
//!
//! SO_RXQ_OVFL would tell the same per packet, but its control message and the ones of
//! `quinn-udp` do not fit together into that crate's buffer, and the local address would be cut.

use std::os::fd::AsFd;

use nix::sys::socket::getsockopt;
use nix::{getsockopt_impl, sockopt_impl};

/// SK_MEMINFO_VARS of linux/sock_diag.h.
const FIELDS: usize = 9;
/// SK_MEMINFO_DROPS of linux/sock_diag.h.
const DROPS: usize = 8;

sockopt_impl!(
    /// Memory use of a socket, and its drops.
    MemInfo,
    GetOnly,
    libc::SOL_SOCKET,
    libc::SO_MEMINFO,
    [u32; FIELDS]
);

/// The drops since the socket was opened.
pub(crate) fn receive_queue_drops(socket: &impl AsFd) -> nix::Result<u64> {
    getsockopt(socket, MemInfo).map(|fields| u64::from(fields[DROPS]))
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn a_queue_that_nobody_reads_shows_its_drops() {
        let idle = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(receive_queue_drops(&idle).unwrap(), 0);
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..2_000 {
            sender
                .send_to(&[0; 1_000], idle.local_addr().unwrap())
                .unwrap();
        }
        assert!(receive_queue_drops(&idle).unwrap() > 0);
    }
}
