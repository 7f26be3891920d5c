//! Whether an announced media address answers: a STUN Binding request without USERNAME (RFC 8489),
//! which an SFU answers with the address that it saw and nothing else. Beside it goes a signed one,
//! which it answers with how busy it is.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use gryt_runtime::occupancy::{Occupancy, OccupancyKey, Transaction};
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
/// The signed answer comes right behind the other, from whoever gives one.
const SIGNED_WITHIN: Duration = Duration::from_millis(150);

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

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// Must be random.
    pub transaction: Transaction,
    /// With which the SFU may be asked how busy it is: it holds one of them, or none.
    pub keys: Vec<OccupancyKey>,
}

/// How busy an SFU is, and by which key it said so.
pub type Told = (OccupancyKey, Occupancy);

/// Asks `host:port` for a Binding answer. One that does not say how busy it is answers all the
/// same.
///
/// # Errors
/// Nothing, or nothing fitting, came back within about three seconds.
pub async fn probe(host: &str, port: u16, question: &Question) -> Result<Option<Told>, ProbeError> {
    let target = resolve(host, port).await?;
    timeout(LIMIT, ask(target, question))
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

async fn ask(target: SocketAddr, question: &Question) -> Result<Option<Told>, ProbeError> {
    let any: IpAddr = if target.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let failed = |source| ProbeError::Send(target, source);
    let socket = UdpSocket::bind((any, 0)).await.map_err(failed)?;
    socket.connect(target).await.map_err(failed)?;
    let Question { transaction, keys } = question;
    let request = binding_request(*transaction);
    let mut refused = None;
    let mut reached = false;
    for wait in RESEND_AFTER {
        socket.send(&request).await.map_err(failed)?;
        for key in keys {
            let signed = key.request(*transaction);
            socket.send(&signed).await.map_err(failed)?;
        }
        tokio::select! {
            answered = answer(&socket, question, &mut reached) => match answered {
                Ok(told) => return Ok(told),
                // A closed port may open while we ask; keep the reason and go on.
                Err(error) => { refused = Some(error); sleep(wait).await; }
            },
            () = sleep(wait) => {}
        }
    }
    if reached {
        return Ok(None);
    }
    Err(refused.map_or(ProbeError::Silent(target), failed))
}

/// Waits for an answer, and a little longer for one that tells more. `reached` is true from the
/// first on.
async fn answer(
    socket: &UdpSocket,
    question: &Question,
    reached: &mut bool,
) -> io::Result<Option<Told>> {
    let Question { transaction, keys } = question;
    let mut buffer = [0_u8; 1500];
    loop {
        let received = socket.recv(&mut buffer);
        let length = if *reached {
            match timeout(SIGNED_WITHIN, received).await {
                Ok(received) => received?,
                Err(_elapsed) => return Ok(None),
            }
        } else {
            received.await?
        };
        let datagram = &buffer[..length];
        for key in keys {
            if let Some(occupancy) = key.read_response(datagram, *transaction) {
                return Ok(Some((key.clone(), occupancy)));
            }
        }
        *reached |= answers(datagram, *transaction);
        if *reached && keys.is_empty() {
            return Ok(None);
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

    const TRANSACTION: Transaction = [7; 12];
    const BUSY: Occupancy = Occupancy {
        calls: 2,
        participants: 5,
    };

    fn plain() -> Question {
        asked_with(&[])
    }

    fn asked_with(keys: &[&str]) -> Question {
        Question {
            transaction: TRANSACTION,
            keys: keys
                .iter()
                .map(|key| OccupancyKey::derive(key.as_bytes()))
                .collect(),
        }
    }

    /// Answers as an SFU with this key does.
    fn sfu(key: &str) -> impl Fn(&[u8]) -> Option<Vec<u8>> + Send + 'static {
        let key = OccupancyKey::derive(key.as_bytes());
        move |request| match request.len() {
            HEADER_BYTES => Some(success(request)),
            _ => Some(key.response(key.read_request(request)?, BUSY).to_vec()),
        }
    }

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
        probe("127.0.0.1", port, &plain()).await.unwrap();
        probe("localhost", port, &plain()).await.unwrap();
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
        probe("127.0.0.1", port, &plain()).await.unwrap();
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

        let question = plain();
        let (closed, silent, lying, nowhere) = tokio::join!(
            probe("127.0.0.1", port, &question),
            probe("127.0.0.1", silent, &question),
            probe("127.0.0.1", lying, &question),
            probe("no-such-host.invalid", 1, &question),
        );

        assert!(matches!(closed, Err(ProbeError::Send(..))), "{closed:?}");
        assert!(matches!(silent, Err(ProbeError::Silent(_))), "{silent:?}");
        assert!(matches!(lying, Err(ProbeError::Silent(_))), "{lying:?}");
        assert!(
            matches!(nowhere, Err(ProbeError::Resolve(..))),
            "{nowhere:?}"
        );
    }

    #[tokio::test]
    async fn an_sfu_tells_how_busy_it_is_by_whichever_key_it_holds() {
        let port = server(sfu("old")).await;
        let question = asked_with(&["new", "old"]);
        let told = probe("127.0.0.1", port, &question).await.unwrap();
        assert_eq!(told, Some((OccupancyKey::derive(b"old"), BUSY)));
    }

    #[tokio::test]
    async fn an_sfu_that_does_not_tell_or_lies_is_reached_all_the_same() {
        let silent = server(|request| (request.len() == HEADER_BYTES).then(|| success(request)));
        let lying = server(|request| match request.len() {
            HEADER_BYTES => Some(success(request)),
            _ => {
                let key = OccupancyKey::derive(b"guessed");
                Some(key.response(TRANSACTION, BUSY).to_vec())
            }
        });
        for port in [silent.await, lying.await] {
            let told = probe("127.0.0.1", port, &asked_with(&["key"])).await;
            assert_eq!(told.unwrap(), None);
        }
    }
}
