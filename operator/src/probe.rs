//! Whether an announced media address answers: a STUN Binding request without USERNAME (RFC 8489),
//! which an SFU answers with the address that it saw and nothing else.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{UdpSocket, lookup_host};
use tokio::time::{sleep, timeout};

/// The request goes out at 0, 0.3, 0.9 and 2.1 s; then the address counts as silent at 3 s.
const RESEND_AFTER: [Duration; 4] = [
    Duration::from_millis(300),
    Duration::from_millis(600),
    Duration::from_millis(1200),
    Duration::from_millis(900),
];
const LIMIT: Duration = Duration::from_secs(5);

const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
const HEADER_BYTES: usize = 20;

/// Why an address counts as unreachable.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The host name has no address.
    #[error("find the address of \"{0}\"")]
    Resolve(String, #[source] Option<io::Error>),
    /// The socket failed: no route, port closed.
    #[error("send to {0}")]
    Send(SocketAddr, #[source] io::Error),
    /// Nothing came back.
    #[error("no answer from {0}")]
    Silent(SocketAddr),
}

/// Asks `host:port` for a Binding answer. `transaction` must be random.
///
/// # Errors
/// Nothing, or nothing fitting, came back within about three seconds.
pub async fn probe(host: &str, port: u16, transaction: [u8; 12]) -> Result<(), ProbeError> {
    let target = resolve(host, port).await?;
    timeout(LIMIT, ask(target, transaction))
        .await
        .unwrap_or(Err(ProbeError::Silent(target)))
}

async fn resolve(host: &str, port: u16) -> Result<SocketAddr, ProbeError> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, port));
    }
    match timeout(LIMIT, lookup_host((host, port))).await {
        Ok(Ok(mut addresses)) => addresses
            .next()
            .ok_or_else(|| ProbeError::Resolve(host.to_owned(), None)),
        Ok(Err(error)) => Err(ProbeError::Resolve(host.to_owned(), Some(error))),
        Err(_elapsed) => Err(ProbeError::Resolve(host.to_owned(), None)),
    }
}

async fn ask(target: SocketAddr, transaction: [u8; 12]) -> Result<(), ProbeError> {
    let any: IpAddr = if target.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let failed = |source| ProbeError::Send(target, source);
    let socket = UdpSocket::bind((any, 0)).await.map_err(failed)?;
    socket.connect(target).await.map_err(failed)?;
    let request = binding_request(transaction);
    let mut refused = None;
    for wait in RESEND_AFTER {
        socket.send(&request).await.map_err(failed)?;
        tokio::select! {
            answered = answer(&socket, transaction) => match answered {
                Ok(()) => return Ok(()),
                // A closed port may open while we ask; keep the reason and go on.
                Err(error) => { refused = Some(error); sleep(wait).await; }
            },
            () = sleep(wait) => {}
        }
    }
    Err(refused.map_or(ProbeError::Silent(target), failed))
}

async fn answer(socket: &UdpSocket, transaction: [u8; 12]) -> io::Result<()> {
    let mut buffer = [0_u8; 1500];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if answers(&buffer[..length], transaction) {
            return Ok(());
        }
    }
}

fn binding_request(transaction: [u8; 12]) -> [u8; HEADER_BYTES] {
    let mut request = [0; HEADER_BYTES];
    request[..2].copy_from_slice(&BINDING_REQUEST);
    request[4..8].copy_from_slice(&MAGIC_COOKIE);
    request[8..].copy_from_slice(&transaction);
    request
}

fn answers(datagram: &[u8], transaction: [u8; 12]) -> bool {
    datagram.len() >= HEADER_BYTES
        && datagram[..2] == BINDING_SUCCESS
        && datagram[4..8] == MAGIC_COOKIE
        && datagram[8..HEADER_BYTES] == transaction
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSACTION: [u8; 12] = [7; 12];

    async fn server(answer: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + 'static) -> u16 {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = socket.local_addr().unwrap().port();
        tokio::spawn(async move {
            let mut buffer = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                if let Some(answer) = answer(&buffer[..length]) {
                    socket.send_to(&answer, from).await.unwrap();
                }
            }
        });
        port
    }

    fn success(request: &[u8]) -> Vec<u8> {
        let mut answer = request.to_vec();
        answer[..2].copy_from_slice(&BINDING_SUCCESS);
        answer
    }

    #[tokio::test]
    async fn address_that_answers_is_reachable() {
        let port = server(|request| Some(success(request))).await;
        probe("127.0.0.1", port, TRANSACTION).await.unwrap();
        probe("localhost", port, TRANSACTION).await.unwrap();
    }

    #[tokio::test]
    async fn a_lost_first_request_is_no_failure() {
        let asked = std::sync::atomic::AtomicBool::new(false);
        let port = server(move |request| {
            asked
                .swap(true, std::sync::atomic::Ordering::Relaxed)
                .then(|| success(request))
        })
        .await;
        probe("127.0.0.1", port, TRANSACTION).await.unwrap();
    }

    #[tokio::test]
    async fn closed_silent_and_lying_addresses_are_unreachable() {
        let closed = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = closed.local_addr().unwrap().port();
        drop(closed);
        let silent = server(|_| None).await;
        let lying = server(|request| {
            let mut answer = success(request);
            answer[19] ^= 1;
            Some(answer)
        })
        .await;

        let (closed, silent, lying, nowhere) = tokio::join!(
            probe("127.0.0.1", port, TRANSACTION),
            probe("127.0.0.1", silent, TRANSACTION),
            probe("127.0.0.1", lying, TRANSACTION),
            probe("no-such-host.invalid", 1, TRANSACTION),
        );

        assert!(matches!(closed, Err(ProbeError::Send(..))), "{closed:?}");
        assert!(matches!(silent, Err(ProbeError::Silent(_))), "{silent:?}");
        assert!(matches!(lying, Err(ProbeError::Silent(_))), "{lying:?}");
        assert!(
            matches!(nowhere, Err(ProbeError::Resolve(..))),
            "{nowhere:?}"
        );
    }
}
