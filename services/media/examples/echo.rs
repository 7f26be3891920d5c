//! One UDP socket and a page: what you say comes back in slot `a0`. Proves the peer against real
//! browsers; `tests/browser/spike.mjs` drives it. With a third argument it records the DTLS
//! datagrams of each peer in that folder, which is where the fixtures come from. A fourth is a bit
//! mask of DTLS datagrams to lose: bit 0 is a peer's first, both directions count.
//!
//! `cargo run -p gryt-media --example echo -- 192.0.2.7:18111 127.0.0.1:18110`

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example talks to whoever runs it"
)]

use std::collections::HashMap;
use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use gryt_media::Path;
use gryt_media::peer::{
    AudioSlot, Certificate, IceCredentials, Layout, Peer, PeerConfig, PeerEvent, stun,
};
use gryt_media::srtp::{Inbound, Outbound, TAG_LEN};
use ring::rand::{SecureRandom, SystemRandom};

const SLOTS: u8 = 8;
const PAGE: &str = include_str!("echo.html");

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let media: SocketAddr = arguments.next().ok_or("media address missing")?.parse()?;
    let page: SocketAddr = arguments.next().ok_or("page address missing")?.parse()?;
    let record = arguments.next().map(PathBuf::from);
    let lost = arguments.next().map_or(Ok(0), |mask| mask.parse())?;
    let listener = TcpListener::bind(page)?;
    let socket = UdpSocket::bind(media)?;
    let (sender, receiver) = channel();
    std::thread::spawn(move || serve_page(&listener, &sender));
    println!("http://{page}");
    Echo {
        config: PeerConfig {
            certificate: Certificate::generate()?,
            candidates: [media].into(),
        },
        socket,
        record,
        lost,
        peers: HashMap::new(),
        by_path: HashMap::new(),
    }
    .run(&receiver)
}

/// What the page asks for; the answer goes back by the channel.
enum Request {
    Offer(Sender<String>),
    Answer {
        ufrag: String,
        revision: u32,
        sdp: String,
        reply: Sender<String>,
    },
}

struct Echo {
    config: PeerConfig,
    socket: UdpSocket,
    record: Option<PathBuf>,
    lost: u32,
    peers: HashMap<String, Guest>,
    by_path: HashMap<Path, String>,
}

struct Guest {
    peer: Peer,
    srtp: Option<(Inbound, Outbound)>,
    sequence: u16,
    dtls_datagrams: u32,
}

impl Echo {
    #[expect(
        clippy::disallowed_methods,
        reason = "an example is its own shell: it reads the clock here and nowhere else"
    )]
    fn run(mut self, requests: &Receiver<Request>) -> Result<(), Box<dyn Error>> {
        self.socket
            .set_read_timeout(Some(Duration::from_millis(5)))?;
        let mut buffer = [0; 2048];
        loop {
            while let Ok(request) = requests.try_recv() {
                self.handle_request(request, Instant::now())?;
            }
            if let Ok((len, remote)) = self.socket.recv_from(&mut buffer) {
                let local = self.socket.local_addr()?.ip();
                let path = Path { remote, local };
                self.handle_datagram(path, &mut buffer[..len], Instant::now())?;
            }
            self.drain(Instant::now())?;
        }
    }

    fn handle_request(&mut self, request: Request, now: Instant) -> Result<(), Box<dyn Error>> {
        match request {
            Request::Offer(reply) => {
                let credentials = IceCredentials {
                    ufrag: random_text(8)?.into(),
                    pwd: random_text(24)?.into(),
                };
                let ufrag = credentials.ufrag.to_string();
                let mut peer = Peer::new(&self.config, credentials, now);
                let slots = (0..SLOTS).map(|number| AudioSlot {
                    number,
                    ssrc: slot_ssrc(number),
                    cname: format!("slot-{number}").into(),
                });
                let offer = peer.offer(&Layout::voice(slots));
                let guest = Guest {
                    peer,
                    srtp: None,
                    sequence: 0,
                    dtls_datagrams: 0,
                };
                reply.send(format!("{ufrag} {}\n{}", offer.revision, offer.sdp))?;
                self.peers.insert(ufrag, guest);
            }
            Request::Answer {
                ufrag,
                revision,
                sdp,
                reply,
            } => {
                let said = match self.peers.get_mut(&ufrag) {
                    Some(guest) => match guest.peer.answer(revision, &sdp) {
                        Ok(negotiated) => format!("{negotiated:?}"),
                        Err(error) => format!("refused: {error}"),
                    },
                    None => "refused: unknown peer".to_owned(),
                };
                println!("{ufrag}: {said}");
                reply.send(said)?;
            }
        }
        Ok(())
    }

    fn handle_datagram(
        &mut self,
        path: Path,
        datagram: &mut [u8],
        now: Instant,
    ) -> Result<(), Box<dyn Error>> {
        if stun::is_stun(datagram) {
            if let Some(reply) = stun::anonymous_reply(datagram, path.remote) {
                self.socket.send_to(&reply, path.remote)?;
            } else if let Some(guest) =
                stun::ufrag(datagram).and_then(|ufrag| self.peers.get_mut(ufrag))
            {
                guest.peer.handle_stun(path, datagram, now);
                self.by_path.insert(path, guest.peer.ufrag().to_owned());
            }
            return Ok(());
        }
        let guest = self
            .by_path
            .get(&path)
            .and_then(|ufrag| self.peers.get_mut(ufrag));
        let (Some(guest), Some(first)) = (guest, datagram.first()) else {
            return Ok(());
        };
        // RFC 7983: which protocol a first byte belongs to.
        match first {
            20..=63 => {
                let number = guest.dtls_datagrams;
                if let Some(folder) = &self.record {
                    let name = format!("{}-{number:02}.bin", guest.peer.ufrag());
                    std::fs::write(folder.join(name), &*datagram)?;
                }
                if !guest.loses_dtls(self.lost) {
                    guest.peer.handle_dtls(path, datagram, now);
                }
            }
            128..=191 => guest.echo(&self.socket, path, datagram)?,
            _ => {}
        }
        Ok(())
    }

    fn drain(&mut self, now: Instant) -> Result<(), Box<dyn Error>> {
        for (ufrag, guest) in &mut self.peers {
            if guest.peer.poll_timeout().is_some_and(|due| due <= now) {
                guest.peer.handle_timeout(now);
            }
            while let Some((path, datagram)) = guest.peer.poll_transmit() {
                if !stun::is_stun(&datagram) && guest.loses_dtls(self.lost) {
                    continue;
                }
                self.socket.send_to(&datagram, path.remote)?;
            }
            while let Some(event) = guest.peer.poll_event() {
                println!("{ufrag}: {event:?} {:?}", guest.peer.counters());
                if let PeerEvent::Connected { srtp } = event {
                    let contexts = (Inbound::new(&srtp.inbound), Outbound::new(&srtp.outbound));
                    guest.srtp = Some(contexts);
                }
            }
        }
        Ok(())
    }
}

impl Guest {
    /// Counts a DTLS datagram; whether it is one of those to lose.
    fn loses_dtls(&mut self, mask: u32) -> bool {
        let number = self.dtls_datagrams;
        self.dtls_datagrams += 1;
        let lost = mask.checked_shr(number).is_some_and(|rest| rest & 1 == 1);
        if lost {
            println!("{}: DTLS datagram {number} lost", self.peer.ufrag());
        }
        lost
    }

    /// Sends an audio packet back as slot 0's.
    fn echo(
        &mut self,
        socket: &UdpSocket,
        path: Path,
        datagram: &mut [u8],
    ) -> Result<(), Box<dyn Error>> {
        // RTCP shares the port (RFC 5761 section 4); the echo needs none.
        let is_rtcp = (192..=223).contains(&datagram[1]);
        let Some((inbound, outbound)) = self.srtp.as_mut().filter(|_| !is_rtcp) else {
            return Ok(());
        };
        let len = match inbound.unprotect(datagram) {
            Ok(len) => len,
            Err(error) => {
                eprintln!("dropped: {error}");
                return Ok(());
            }
        };
        self.peer.media_authenticated(path);
        let packet = &datagram[..len];
        let extension = packet[0] & 0x10 != 0;
        let mut header_len = 12 + 4 * usize::from(packet[0] & 0x0f);
        if extension {
            let words = u16::from_be_bytes([packet[header_len + 2], packet[header_len + 3]]);
            header_len += 4 + 4 * usize::from(words);
        }
        self.sequence = self.sequence.wrapping_add(1);
        let mut out = vec![0x80, packet[1]];
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&packet[4..8]);
        out.extend_from_slice(&slot_ssrc(0).to_be_bytes());
        out.extend_from_slice(&packet[header_len..]);
        let plain = out.len();
        out.resize(plain + TAG_LEN, 0);
        let sealed = outbound.protect(&mut out, plain)?;
        if let Some(path) = self.peer.media_path(sealed) {
            socket.send_to(&out[..sealed], path.remote)?;
        }
        Ok(())
    }
}

fn slot_ssrc(number: u8) -> u32 {
    1_000 + u32::from(number)
}

fn random_text(len: usize) -> Result<String, Box<dyn Error>> {
    let mut bytes = vec![0; len];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| "no randomness")?;
    Ok(bytes
        .iter()
        .map(|byte| char::from(b'a' + byte % 26))
        .collect())
}

/// As much HTTP as one page needs: a request per connection, a body by its length.
fn serve_page(listener: &TcpListener, requests: &Sender<Request>) {
    for stream in listener.incoming().flatten() {
        if let Err(error) = serve(stream, requests) {
            eprintln!("page: {error}");
        }
    }
}

fn serve(mut stream: TcpStream, requests: &Sender<Request>) -> Result<(), Box<dyn Error>> {
    let (head, body) = read_request(&mut stream)?;
    let mut words = head.split_ascii_whitespace();
    let (method, target) = (words.next(), words.next().unwrap_or_default());
    let (sender, receiver) = channel();
    let (kind, content) = match (method, target.split_once('?')) {
        (Some("POST"), Some(("/answer", query))) => {
            let (ufrag, revision) = query.split_once(',').ok_or("revision missing")?;
            requests.send(Request::Answer {
                ufrag: ufrag.to_owned(),
                revision: revision.parse()?,
                sdp: body,
                reply: sender,
            })?;
            ("text/plain", receiver.recv()?)
        }
        (Some("POST"), None) if target == "/offer" => {
            requests.send(Request::Offer(sender))?;
            ("text/plain", receiver.recv()?)
        }
        (Some(_) | None, _) => ("text/html", PAGE.to_owned()),
    };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}; charset=utf-8\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{content}",
        content.len()
    )?;
    Ok(())
}

fn read_request(stream: &mut TcpStream) -> Result<(String, String), Box<dyn Error>> {
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .map_or(Ok(0), |(_, value)| value.trim().parse::<usize>())?;
            if body.len() >= length {
                return Ok((head.to_owned(), body.to_owned()));
            }
        }
        match stream.read(&mut chunk)? {
            0 => return Err("request ended early".into()),
            read => bytes.extend_from_slice(&chunk[..read]),
        }
    }
}
