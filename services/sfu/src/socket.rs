//! A worker's UDP socket: batched receiving, and sending from the address that was asked.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};

use gryt_media::{Path, Transmit};
use mio::{Interest, Registry, Token};
use nix::sys::socket::{setsockopt, sockopt};
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket as RawSocket, Type};

use crate::socket_memory;

/// See the module's words.
#[derive(Debug)]
pub(crate) struct Socket {
    io: mio::net::UdpSocket,
    offload: UdpSocketState,
    local: SocketAddr,
}

/// Room for half a second of 10,000 small packets per second while the worker is held up.
const QUEUE_BYTES: usize = 8 << 20;

impl Socket {
    /// Binds `address`. The unspecified IPv6 address takes IPv4 too, and alone where the host has
    /// no IPv6.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let io = match open(address) {
            Err(_) if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) => {
                open(SocketAddr::from(([0, 0, 0, 0], address.port())))?
            }
            opened => opened?,
        };
        let offload = UdpSocketState::new(UdpSockRef::from(&io))?;
        let local = io.local_addr()?;
        Ok(Self {
            io: mio::net::UdpSocket::from_std(io),
            offload,
            local,
        })
    }

    /// The bound address, with the port that the system chose.
    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Lets a poll see when there is something to receive.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.io, token, Interest::READABLE)
    }

    /// Fills `batch` with what waits.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when nothing waits.
    pub(crate) fn receive(&self, batch: &mut Batch) -> io::Result<()> {
        batch.filled = 0;
        let mut chunks = batch.storage.chunks_exact_mut(Batch::BUFFER_BYTES);
        let mut buffers: [IoSliceMut<'_>; BATCH_SIZE] =
            std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
        let socket = UdpSockRef::from(&self.io);
        batch.filled = self.offload.recv(socket, &mut buffers, &mut batch.metas)?;
        Ok(())
    }

    /// Sends one datagram.
    ///
    /// # Errors
    /// What the kernel says. The datagram is lost then, as any may be.
    pub(crate) fn send(&self, transmit: Transmit<'_>) -> io::Result<()> {
        let Transmit { path, datagram } = transmit;
        let dual_stack = self.local.is_ipv6();
        let destination = if dual_stack {
            mapped(path.remote)
        } else {
            path.remote
        };
        let src_ip = (!path.local.is_unspecified()).then_some(path.local);
        let transmit = quinn_udp::Transmit {
            destination,
            ecn: None,
            contents: datagram,
            segment_size: None,
            src_ip,
        };
        self.offload.try_send(UdpSockRef::from(&self.io), &transmit)
    }

    /// Datagrams that the kernel dropped because the queue was full.
    pub(crate) fn receive_queue_drops(&self) -> nix::Result<u64> {
        socket_memory::receive_queue_drops(&self.io)
    }
}

fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = RawSocket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    // The forced size needs a privilege; the other is cut to the system's bound without an error.
    if setsockopt(&socket, sockopt::RcvBufForce, &QUEUE_BYTES).is_err() {
        socket.set_recv_buffer_size(QUEUE_BYTES)?;
    }
    if setsockopt(&socket, sockopt::SndBufForce, &QUEUE_BYTES).is_err() {
        socket.set_send_buffer_size(QUEUE_BYTES)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// The form in which a dual-stack socket takes an IPv4 destination (RFC 4291 section 2.5.5.2).
fn mapped(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) => SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port()),
        SocketAddr::V6(_) => address,
    }
}

/// Received datagrams, many of one sender in one buffer where the kernel joined them.
pub(crate) struct Batch {
    storage: Box<[u8]>,
    metas: [RecvMeta; BATCH_SIZE],
    filled: usize,
}

impl Batch {
    /// The longest run of joined datagrams (UDP_GRO).
    const BUFFER_BYTES: usize = 1 << 16;

    pub(crate) fn new() -> Self {
        Self {
            storage: vec![0; Self::BUFFER_BYTES * BATCH_SIZE].into(),
            metas: [RecvMeta::default(); BATCH_SIZE],
            filled: 0,
        }
    }

    /// The datagrams in the order of arrival. `bound` stands in where the kernel did not tell the
    /// local address.
    pub(crate) fn datagrams(
        &mut self,
        bound: IpAddr,
    ) -> impl Iterator<Item = (Path, &mut [u8])> + use<'_> {
        let buffers = self.storage.chunks_exact_mut(Self::BUFFER_BYTES);
        self.metas[..self.filled]
            .iter()
            .zip(buffers)
            .flat_map(move |(meta, buffer)| {
                let remote = SocketAddr::new(meta.addr.ip().to_canonical(), meta.addr.port());
                let path = Path {
                    remote,
                    local: meta.dst_ip.unwrap_or(bound).to_canonical(),
                };
                let received = buffer.get_mut(..meta.len).unwrap_or_default();
                // An empty datagram has no chunk, but it came.
                let empty = (meta.len == 0).then(Default::default);
                received
                    .chunks_mut(meta.stride.max(1))
                    .chain(empty)
                    .map(move |datagram| (path, datagram))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive_one(socket: &Socket, batch: &mut Batch) -> (Path, Vec<u8>) {
        let mut poll = mio::Poll::new().unwrap();
        let mut twin = mio::net::UdpSocket::from_std(UdpSocket::from(
            std::os::fd::AsFd::as_fd(&socket.io)
                .try_clone_to_owned()
                .unwrap(),
        ));
        poll.registry()
            .register(&mut twin, Token(0), Interest::READABLE)
            .unwrap();
        poll.poll(
            &mut mio::Events::with_capacity(1),
            Some(std::time::Duration::from_secs(10)),
        )
        .unwrap();
        socket.receive(batch).unwrap();
        let (path, datagram) = batch.datagrams(socket.local().ip()).next().unwrap();
        (path, datagram.to_vec())
    }

    #[test]
    fn a_reply_leaves_from_the_address_that_was_asked() {
        for asked in ["127.0.0.1", "127.0.0.5", "::1"] {
            let socket = Socket::bind("[::]:0".parse().unwrap()).unwrap();
            let asked: IpAddr = asked.parse().unwrap();
            if asked.is_ipv6() && socket.local().is_ipv4() {
                continue;
            }
            let client = UdpSocket::bind(SocketAddr::new(asked, 0)).unwrap();
            let server = SocketAddr::new(asked, socket.local().port());
            client.send_to(b"ping", server).unwrap();

            let (path, datagram) = receive_one(&socket, &mut Batch::new());
            assert_eq!(datagram, b"ping");
            assert_eq!(
                path,
                Path {
                    remote: client.local_addr().unwrap(),
                    local: asked
                }
            );

            socket
                .send(Transmit {
                    path,
                    datagram: b"pong",
                })
                .unwrap();
            let mut reply = [0; 16];
            let (length, from) = client.recv_from(&mut reply).unwrap();
            assert_eq!((&reply[..length], from), (&b"pong"[..], server));
        }
    }

    #[test]
    fn an_empty_datagram_is_one_too() {
        let socket = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.send_to(b"", socket.local()).unwrap();
        assert_eq!(receive_one(&socket, &mut Batch::new()).1, b"");
    }

    #[test]
    fn an_empty_socket_would_block() {
        let socket = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let error = socket.receive(&mut Batch::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
