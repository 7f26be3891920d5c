//! One PeerConnection with its UDP socket, on a task of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use bytes::{Bytes, BytesMut};
use rtc::dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc::ice::mdns::MulticastDnsMode;
use rtc::interceptor::Registry;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::RTCConfigurationBuilder;
use rtc::peer_connection::configuration::media_engine::{MIME_TYPE_OPUS, MediaEngine};
use rtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use rtc::peer_connection::event::RTCPeerConnectionEvent;
use rtc::peer_connection::message::{RTCMessage, TaggedRTCMessage};
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::peer_connection::state::RTCPeerConnectionState;
use rtc::peer_connection::transport::{
    CandidateConfig, CandidateHostConfig, RTCDtlsRole, RTCIceCandidate,
};
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::rtp;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodingParameters, RTCRtpEncodingParameters, RTCRtpHeaderExtensionCapability,
    RtpCodecKind,
};
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use rtc::sansio::Protocol;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use super::reception::{Heard, Reception};
use super::sdp::Offered;
use super::speech::{Packet, Stream};
use crate::{clock, wait};

/// How a participant takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VoiceConfig {
    /// Marks each packet of this speaker; also makes its SSRC.
    pub tag: u32,
    /// Whether it has a microphone.
    pub has_microphone: bool,
}

/// A participant's media. Ends when dropped.
#[derive(Debug)]
pub struct Voice {
    orders: mpsc::Sender<Order>,
    reception: Arc<Mutex<Reception>>,
    connected: watch::Receiver<bool>,
    tag: u32,
}

#[derive(Debug)]
enum Order {
    Answer {
        offer: String,
        reply: oneshot::Sender<Result<String>>,
    },
    Speak {
        level: u8,
        reply: oneshot::Sender<u64>,
    },
    Hush {
        reply: oneshot::Sender<u64>,
    },
    Spoken {
        reply: oneshot::Sender<u64>,
    },
    Stray {
        ssrc: u32,
        reply: oneshot::Sender<Result<()>>,
    },
}

impl Voice {
    /// Takes the first offer; returns the answer for the server.
    ///
    /// # Errors
    /// When the offer is not one that a browser could answer.
    pub async fn answer(config: VoiceConfig, offer: &str) -> Result<(Self, String)> {
        let socket = open_socket(&Offered::read(offer))?;
        let reception = Arc::new(Mutex::new(Reception::default()));
        let (connected_sender, connected) = watch::channel(false);
        let (orders, received) = mpsc::channel(16);
        let peer = Peer {
            connection: connection(config, socket.local_addr()?)?,
            socket,
            config,
            stream: Stream::new(config.tag, ssrc_of(config.tag)),
            offered: Offered::default(),
            reception: Arc::clone(&reception),
            connected: connected_sender,
        };
        tokio::spawn(peer.run(received));
        let voice = Self {
            orders,
            reception,
            connected,
            tag: config.tag,
        };
        let answer = voice.answer_again(offer).await?;
        Ok((voice, answer))
    }

    /// Takes a later offer; returns the answer for the server.
    ///
    /// # Errors
    /// When the offer is not one that a browser could answer.
    pub async fn answer_again(&self, offer: &str) -> Result<String> {
        let offer = offer.to_owned();
        self.order(|reply| Order::Answer { offer, reply }).await?
    }

    /// Waits until ICE and DTLS are through.
    ///
    /// # Errors
    /// When they do not get through.
    pub async fn connected(&self) -> Result<()> {
        let mut connected = self.connected.clone();
        let through = tokio::time::timeout(wait::PATIENCE, connected.wait_for(|is| *is));
        through
            .await
            .context("never connected")?
            .context("the peer is gone")?;
        Ok(())
    }

    /// Speaks at a level in -dBov from now on; returns the number of the first packet.
    ///
    /// # Errors
    /// When the peer is gone.
    pub async fn speak(&self, level: u8) -> Result<u64> {
        self.order(|reply| Order::Speak { level, reply }).await
    }

    /// Ceases to speak; returns the number after the last packet.
    ///
    /// # Errors
    /// When the peer is gone.
    pub async fn hush(&self) -> Result<u64> {
        self.order(|reply| Order::Hush { reply }).await
    }

    /// The number of voiced packets so far.
    ///
    /// # Errors
    /// When the peer is gone.
    pub async fn spoken(&self) -> Result<u64> {
        self.order(|reply| Order::Spoken { reply }).await
    }

    /// Waits until it has spoken that many packets since the beginning.
    ///
    /// # Errors
    /// When it does not get there.
    pub async fn spoken_to(&self, number: u64) -> Result<()> {
        let there = || async { (self.spoken().await.ok()? >= number).then_some(()) };
        wait::until_answered("a speaker's packets", there).await
    }

    /// Sends one well-sealed packet of an SSRC that was never negotiated.
    ///
    /// # Errors
    /// When the packet cannot be made.
    pub async fn send_stray(&self, ssrc: u32) -> Result<()> {
        self.order(|reply| Order::Stray { ssrc, reply }).await?
    }

    /// Marks this speaker's packets.
    #[must_use]
    pub fn tag(&self) -> u32 {
        self.tag
    }

    /// What came so far.
    pub fn reception(&self) -> MutexGuard<'_, Reception> {
        self.reception
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    async fn order<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        self.orders
            .send(order(reply))
            .await
            .map_err(|_| anyhow!("the peer is gone"))?;
        answer.await.context("the peer is gone")
    }
}

/// SSRCs of different speakers differ, so that a mixed-up forwarder shows.
fn ssrc_of(tag: u32) -> u32 {
    0x4700_0000 | tag
}

/// Two bursts of a whole room may wait while the machine is busy elsewhere.
const QUEUE_BYTES: usize = 4 << 20;

/// On the address from which this machine reaches the node.
fn open_socket(offered: &Offered) -> Result<UdpSocket> {
    let here = match offered.candidates.first() {
        None => Ipv4Addr::LOCALHOST.into(),
        Some(there) => {
            let route = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
            route.connect(there)?;
            route.local_addr()?.ip()
        }
    };
    let socket = std::net::UdpSocket::bind((here, 0))?;
    socket2::SockRef::from(&socket).set_recv_buffer_size(QUEUE_BYTES)?;
    socket.set_nonblocking(true)?;
    Ok(UdpSocket::from_std(socket)?)
}

fn connection(config: VoiceConfig, local: SocketAddr) -> Result<RTCPeerConnection> {
    let mut media = MediaEngine::default();
    media.register_default_codecs()?;
    for uri in [
        rtc::sdp::extmap::AUDIO_LEVEL_URI,
        rtc::sdp::extmap::SDES_MID_URI,
    ] {
        let extension = RTCRtpHeaderExtensionCapability {
            uri: uri.to_owned(),
        };
        media.register_header_extension(extension, RtpCodecKind::Audio, None)?;
    }
    let settings = SettingEngineBuilder::new()
        .with_srtp_protection_profiles(vec![SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm])
        // Browsers answer actively, whatever kind of ICE agent made the offer.
        .with_answering_dtls_role(RTCDtlsRole::Client)
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .with_include_loopback_candidate(true)
        .build();
    let mut connection = RTCPeerConnectionBuilder::new()
        .with_configuration(RTCConfigurationBuilder::new().build())
        .with_media_engine(media)
        .with_setting_engine(settings)
        .with_interceptor_registry(Registry::new())
        .build(clock::now())?;
    if config.has_microphone {
        let init = RTCRtpTransceiverInit {
            direction: RTCRtpTransceiverDirection::Sendonly,
            streams: Vec::new(),
            send_encodings: Vec::new(),
        };
        connection.add_transceiver_from_track(microphone(ssrc_of(config.tag)), Some(init))?;
    }
    let candidate = CandidateHostConfig {
        base_config: CandidateConfig {
            network: "udp".to_owned(),
            address: local.ip().to_string(),
            port: local.port(),
            component: 1,
            ..CandidateConfig::default()
        },
        ..CandidateHostConfig::default()
    };
    let candidate = RTCIceCandidate::from(&candidate.new_candidate_host()?).to_json()?;
    connection.add_local_candidate(candidate)?;
    Ok(connection)
}

fn microphone(ssrc: u32) -> MediaStreamTrack {
    let codec = RTCRtpCodec {
        mime_type: MIME_TYPE_OPUS.to_owned(),
        clock_rate: 48_000,
        channels: 2,
        sdp_fmtp_line: "minptime=10;useinbandfec=1".to_owned(),
        rtcp_feedback: Vec::new(),
    };
    let coding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters {
            ssrc: Some(ssrc),
            ..RTCRtpCodingParameters::default()
        },
        codec,
        ..RTCRtpEncodingParameters::default()
    };
    let (stream, track) = ("scripted".to_owned(), "microphone".to_owned());
    MediaStreamTrack::new(
        stream,
        track,
        String::new(),
        RtpCodecKind::Audio,
        vec![coding],
    )
}

struct Peer {
    connection: RTCPeerConnection,
    socket: UdpSocket,
    config: VoiceConfig,
    stream: Stream,
    offered: Offered,
    reception: Arc<Mutex<Reception>>,
    connected: watch::Sender<bool>,
}

const PACKET_TIME: Duration = Duration::from_millis(20);
/// The connection's own deadlines are coarse; looking more often only costs.
const SHORTEST_SLEEP: Duration = Duration::from_millis(5);
const LONGEST_SLEEP: Duration = Duration::from_millis(500);

impl Peer {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut ticks = interval(PACKET_TIME);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut buffer = vec![0; 2_048];
        loop {
            let now = clock::now();
            let due = self
                .connection
                .poll_timeout()
                .unwrap_or(now + LONGEST_SLEEP);
            let due = due.clamp(now + SHORTEST_SLEEP, now + LONGEST_SLEEP);
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => self.carry_out(order),
                    None => break,
                },
                _ = ticks.tick() => self.say(),
                readable = self.socket.readable() => {
                    if readable.is_ok() {
                        self.receive(&mut buffer);
                    }
                }
                () = sleep_until(due.into()) => {
                    // What it could not do now it tries again later.
                    drop(self.connection.handle_timeout(clock::now()));
                }
            }
            self.drain();
        }
        drop(self.connection.close());
        self.drain();
    }

    fn carry_out(&mut self, order: Order) {
        match order {
            Order::Answer { offer, reply } => drop(reply.send(self.answer(&offer))),
            Order::Speak { level, reply } => {
                self.stream.speak(level);
                let _ = reply.send(self.stream.spoken());
            }
            Order::Hush { reply } => {
                self.stream.hush();
                let _ = reply.send(self.stream.spoken());
            }
            Order::Spoken { reply } => {
                let _ = reply.send(self.stream.spoken());
            }
            Order::Stray { ssrc, reply } => {
                let packet = Packet {
                    marker: false,
                    sequence: 1,
                    timestamp: 1,
                    level: 20,
                    payload: Bytes::from_static(&[0; 40]),
                };
                drop(reply.send(self.write(ssrc, packet)));
            }
        }
    }

    fn answer(&mut self, offer: &str) -> Result<String> {
        let now = clock::now();
        self.offered = Offered::read(offer);
        let description = RTCSessionDescription::offer(offer.to_owned())?;
        self.connection.set_remote_description(now, description)?;
        let answer = self.connection.create_answer(None)?;
        self.connection.set_local_description(now, answer)?;
        let local = self
            .connection
            .local_description()
            .context("no local description")?;
        Ok(local.sdp)
    }

    fn say(&mut self) {
        let Some(packet) = self.stream.tick() else {
            return;
        };
        if self.config.has_microphone && *self.connected.borrow() {
            // A packet that cannot be sent shows as missing at every listener.
            drop(self.write(self.stream.ssrc, packet));
        }
    }

    fn write(&mut self, ssrc: u32, packet: Packet) -> Result<()> {
        let mut header = rtp::Header {
            version: 2,
            marker: packet.marker,
            payload_type: self.offered.opus.context("the offer has no Opus")?,
            sequence_number: packet.sequence,
            timestamp: packet.timestamp,
            ssrc,
            ..rtp::Header::default()
        };
        const IS_VOICE: u8 = 0x80;
        if let Some(id) = self.offered.audio_level {
            header.set_extension(id, Bytes::copy_from_slice(&[IS_VOICE | packet.level]))?;
        }
        // With the mid a foreign SSRC would be one that the line has changed to.
        if ssrc == self.stream.ssrc
            && let (Some(id), Some(mid)) = (self.offered.mid, &self.offered.upstream)
        {
            header.set_extension(id, Bytes::copy_from_slice(mid.as_bytes()))?;
        }
        let packet = rtp::Packet {
            header,
            payload: packet.payload,
        };
        // Not by the sender's own way, which lets only negotiated SSRCs through.
        let message = RTCMessage::RtpPacket("microphone".to_owned(), packet);
        self.connection.handle_write(TaggedRTCMessage {
            now: clock::now(),
            message,
        })?;
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) {
        const BATCH: usize = 64;
        let Ok(local_addr) = self.socket.local_addr() else {
            return;
        };
        for _ in 0..BATCH {
            let Ok((length, peer_addr)) = self.socket.try_recv_from(buffer) else {
                return;
            };
            let transport = TransportContext {
                local_addr,
                peer_addr,
                ecn: None,
                transport_protocol: TransportProtocol::UDP,
            };
            let message = BytesMut::from(&buffer[..length]);
            self.reception
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .received_from(peer_addr);
            // What it cannot read would show as missing.
            drop(self.connection.handle_read(TaggedBytesMut {
                now: clock::now(),
                transport,
                message,
            }));
            self.hear(clock::now());
        }
    }

    fn hear(&mut self, now: Instant) {
        while let Some(TaggedRTCMessage { message, .. }) = self.connection.poll_read() {
            if let RTCMessage::RtpPacket(_, packet) = message {
                let heard = Heard {
                    ssrc: packet.header.ssrc,
                    sequence: packet.header.sequence_number,
                    csrc: packet.header.csrc.first().copied(),
                    payload: &packet.payload,
                };
                let mut reception = self
                    .reception
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                reception.record(heard, now);
            }
        }
    }

    fn drain(&mut self) {
        self.hear(clock::now());
        while let Some(datagram) = self.connection.poll_write() {
            // A lost datagram is the network's right.
            drop(
                self.socket
                    .try_send_to(&datagram.message, datagram.transport.peer_addr),
            );
        }
        while let Some(event) = self.connection.poll_event() {
            if let RTCPeerConnectionEvent::OnConnectionStateChangeEvent(state) = event {
                self.connected
                    .send_replace(state == RTCPeerConnectionState::Connected);
            }
        }
    }
}
