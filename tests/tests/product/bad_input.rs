//! Bad input of every kind, while a call goes on: one reason to the sender, one counter up, and
//! nothing else disturbed.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use futures_util::SinkExt as _;
use gryt_proto::client::v1::{
    self as wire, ChannelKind, Reason, client_frame, reply, server_frame,
};
use gryt_tests::client::{Client, Participant};
use gryt_tests::forgery::{Specimen, stolen_key};
use gryt_tests::socket::{Bare, Incoming, Refused, connect, next, open_bare, send};
use gryt_tests::voice::{Offered, Voice, VoiceConfig};
use gryt_tests::{stun, wait};
use tokio::net::UdpSocket;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::party::{Party, assert_clean, hears};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_gets_one_reason_and_disturbs_nobody() -> Result<()> {
    let party = Party::start().await?;
    let people = party.join(0..2).await?;
    let first = people[0].voice.speak(20).await?;
    hears(&people[1], &people[0], first).await?;
    let stranger = Client::sign_up(&party.site, "stranger").await?;

    let mut table = Table {
        party: &party,
        rows: Vec::new(),
    };
    frames(&mut table, &stranger).await?;
    handshakes(&mut table, &stranger).await?;
    tokens(&mut table, &stranger).await?;
    requests(&mut table, &stranger).await?;
    datagrams(&mut table, &people).await?;
    let rows = std::mem::take(&mut table.rows);

    let end = people[0].voice.hush().await?;
    hears(&people[1], &people[0], end - 1).await?;
    let missing = people[1].voice.reception().missing_of(0, first..end);
    println!("{:<46} {:<24} counter", "what was sent", "reason");
    for Row {
        what,
        reason,
        counter,
    } in &rows
    {
        println!("{what:<46} {reason:<24} {counter}");
    }
    println!(
        "meanwhile {} packets of a call, {} missing",
        end - first,
        missing.len()
    );
    assert!(missing.is_empty(), "{missing:?}");
    assert_clean(&people, &people.iter().collect::<Vec<_>>());
    assert_eq!(people[0].client.socket.ended(), None);
    assert!(!party.product.log()?.contains("panicked"));
    Ok(())
}

struct Table<'a> {
    party: &'a Party,
    rows: Vec<Row>,
}

struct Row {
    what: &'static str,
    reason: String,
    counter: String,
}

impl Table<'_> {
    /// Does something bad, and checks what the sender is told and that the counter rose.
    async fn row(
        &mut self,
        what: &'static str,
        counter: impl Into<String>,
        expected: Option<Reason>,
        bad: impl Future<Output = Result<Option<Reason>>>,
    ) -> Result<()> {
        let counter = counter.into();
        let before = self.party.scrape().await?.value_or_zero(&counter);
        let told = bad.await.context(what)?;
        assert_eq!(told, expected, "{what}");
        let rose = || async {
            let now = self.party.scrape().await.ok()?.value_or_zero(&counter);
            (now > before).then_some(())
        };
        wait::until_answered(&format!("{what}: {counter}"), rose).await?;
        let reason = expected
            .map_or("(silence)", |reason| reason.as_str_name())
            .to_owned();
        self.rows.push(Row {
            what,
            reason,
            counter,
        });
        Ok(())
    }
}

fn goodbyes(reason: &str) -> String {
    format!("gryt_signaling_goodbyes_total{{reason=\"{reason}\"}}")
}

fn refusals(reason: &str) -> String {
    format!("gryt_signaling_refusals_total{{reason=\"{reason}\"}}")
}

fn refused_upgrades(reason: &str) -> String {
    format!("gryt_signaling_refused_upgrades_total{{reason=\"{reason}\"}}")
}

fn discards(reason: &str) -> String {
    format!("gryt_sfu_discarded_packets_total{{reason=\"{reason}\"}}")
}

/// What a bare socket is told next: why it is ended, or why its request is refused.
async fn told(socket: &mut Bare) -> Result<Option<Reason>> {
    let frame = match next(socket).await? {
        Incoming::Frame(frame) => frame,
        Incoming::Closed(code) => bail!("closed without a word: {code:?}"),
    };
    let frame = frame.frame.context("an empty frame")?;
    if let server_frame::Frame::Goodbye(goodbye) = &frame {
        let code = u16::try_from(i32::from(goodbye.reason()))? + 4_000;
        let end = next(socket).await?;
        if !matches!(end, Incoming::Closed(Some(closed)) if closed == code) {
            bail!("no close code {code} after {goodbye:?}: {end:?}");
        }
        return Ok(Some(goodbye.reason()));
    }
    if let server_frame::Frame::Reply(reply) = &frame
        && let Some(reply::Result::Refusal(refusal)) = &reply.result
    {
        return Ok(Some(refusal.reason()));
    }
    bail!("not refused: {frame:?}")
}

async fn frames(table: &mut Table<'_>, stranger: &Client) -> Result<()> {
    let token = &stranger.tokens.access_token;
    let site = &table.party.site;
    let raw = async |message: Message| {
        let mut socket = open_bare(site, token).await?;
        socket.send(message).await?;
        told(&mut socket).await
    };
    let framed = async |request_id: u64, request: Option<client_frame::Request>| {
        let mut socket = open_bare(site, token).await?;
        send(
            &mut socket,
            &wire::ClientFrame {
                request_id,
                request,
            },
        )
        .await?;
        told(&mut socket).await
    };
    let ping = Some(client_frame::Request::Ping(wire::Ping {}));
    let old = client_frame::Request::Hello(wire::Hello::default());

    let malformed = Some(Reason::Malformed);
    let bad = raw(Message::binary(vec![0xff; 12]));
    table
        .row("frame of noise", goodbyes("MALFORMED"), malformed, bad)
        .await?;
    let bad = raw(Message::text("hello"));
    table
        .row("text frame", goodbyes("MALFORMED"), malformed, bad)
        .await?;
    let bad = raw(Message::binary(vec![0; 70_000]));
    table
        .row(
            "frame of 70,000 bytes",
            goodbyes("TOO_LARGE"),
            Some(Reason::TooLarge),
            bad,
        )
        .await?;
    let hello = Some(Reason::HelloRequired);
    let bad = framed(1, ping.clone());
    table
        .row(
            "request before Hello",
            refusals("HELLO_REQUIRED"),
            hello,
            bad,
        )
        .await?;
    let bad = framed(0, ping);
    table
        .row(
            "request without an id",
            refusals("MALFORMED"),
            malformed,
            bad,
        )
        .await?;
    let bad = framed(1, None);
    table
        .row("request of no kind", refusals("MALFORMED"), malformed, bad)
        .await?;
    let too_old = Some(Reason::ClientTooOld);
    let bad = framed(1, Some(old));
    table
        .row(
            "Hello of protocol 0",
            refusals("CLIENT_TOO_OLD"),
            too_old,
            bad,
        )
        .await
}

async fn handshakes(table: &mut Table<'_>, stranger: &Client) -> Result<()> {
    let site = &table.party.site;
    let refused = async |subprotocols: &str, origin: &str, status: u16, reason: Reason| {
        let error = connect(site, subprotocols, origin)
            .await
            .err()
            .context("it was let in")?;
        let Some(tungstenite::Error::Http(response)) = error.downcast_ref() else {
            bail!("not refused by HTTP: {error}");
        };
        assert_eq!(response.status(), status);
        Ok(Some(reason))
    };
    let good = format!("gryt.v1, bearer.{}", stranger.tokens.access_token);

    let reason = Reason::Unauthenticated;
    let bad = refused("gryt.v1", site.origin(), 401, reason);
    let counter = refused_upgrades("UNAUTHENTICATED");
    table
        .row("handshake without a token", counter, Some(reason), bad)
        .await?;
    let reason = Reason::OriginForbidden;
    let bad = refused(&good, "https://elsewhere.example", 403, reason);
    let counter = refused_upgrades("ORIGIN_FORBIDDEN");
    table
        .row("handshake from another origin", counter, Some(reason), bad)
        .await
}

async fn tokens(table: &mut Table<'_>, stranger: &Client) -> Result<()> {
    let site = &table.party.site;
    let good = Specimen::of(&stranger.tokens.access_token)?;
    let key = stolen_key(&table.party.product.data_dir().join("issuer.db"))?;
    let issuer = "https://issuer.example";
    let signed = |specimen: Specimen| specimen.signed_by(&key);
    let forged: [(&'static str, String); 9] = [
        ("token that is none", "not-a-token".to_owned()),
        (
            "token changed under its signature",
            good.clone().with_claim("sub", "x").as_was_signed(),
        ),
        (
            "token signed by a foreign key",
            good.signed_by_another_key()?,
        ),
        ("token of algorithm none", good.clone().unsigned()),
        (
            "token of HS256 over the public key",
            good.clone().signed_by_a_shared_secret(&key.public),
        ),
        (
            "token of an unknown key id",
            // Older than the keys: a young one may be of a key that is not fetched yet.
            signed(
                good.clone()
                    .with_header("kid", "nobody")
                    .with_claim("iat", 0),
            )?,
        ),
        (
            "token of another issuer",
            signed(good.clone().with_claim("iss", issuer))?,
        ),
        (
            "token for another audience",
            signed(good.clone().with_claim("aud", "a".repeat(26)))?,
        ),
        (
            "token without an end",
            signed(good.clone().without_claim("exp"))?,
        ),
    ];
    let greeted = async |token: String| {
        let mut socket = open_bare(site, &token).await?;
        told(&mut socket).await
    };
    for (what, token) in forged {
        let reason = Some(Reason::Unauthenticated);
        table
            .row(what, goodbyes("UNAUTHENTICATED"), reason, greeted(token))
            .await?;
    }
    let expired = signed(good.expired())?;
    let reason = Some(Reason::TokenExpired);
    table
        .row(
            "token that has run out",
            goodbyes("TOKEN_EXPIRED"),
            reason,
            greeted(expired),
        )
        .await
}

async fn requests(table: &mut Table<'_>, stranger: &Client) -> Result<()> {
    let lounge = table.party.lounge.clone();
    let text = stranger.channel(ChannelKind::Text)?;
    let nowhere = "a".repeat(26);
    let owner_id = table.party.owner.member_id().to_owned();
    let refused = async |request: client_frame::Request| {
        let error = stranger
            .socket
            .request(request)
            .await
            .err()
            .context("it was done")?;
        let refused: &Refused = error.downcast_ref().with_context(|| error.to_string())?;
        Ok(Some(refused.reason()))
    };
    let message = |channel_id: &str, text: String| {
        client_frame::Request::SendMessage(wire::SendMessage {
            channel_id: channel_id.to_owned(),
            text,
            nonce: "n".to_owned(),
            attachments: Vec::new(),
        })
    };
    let join = |channel_id: &str| {
        client_frame::Request::JoinVoice(wire::JoinVoice {
            channel_id: channel_id.to_owned(),
            ..wire::JoinVoice::default()
        })
    };
    let answer = |revision: u32, sdp: &str| {
        client_frame::Request::AnswerOffer(wire::AnswerOffer {
            channel_id: lounge.clone(),
            revision,
            sdp: sdp.to_owned(),
        })
    };
    let mute = client_frame::Request::MuteMember(wire::MuteMember {
        member_id: owner_id,
        muted: true,
    });
    let rows: [(&'static str, Reason, client_frame::Request); 9] = [
        (
            "message to an id that is none",
            Reason::Malformed,
            message("x", "hi".to_owned()),
        ),
        (
            "message to an unknown channel",
            Reason::UnknownChannel,
            message(&nowhere, "hi".to_owned()),
        ),
        (
            "message to a voice channel",
            Reason::WrongChannelKind,
            message(&lounge, "hi".to_owned()),
        ),
        (
            "message of blanks",
            Reason::EmptyText,
            message(&text, "  ".to_owned()),
        ),
        (
            "message of 4,001 characters",
            Reason::TextTooLong,
            message(&text, "x".repeat(4_001)),
        ),
        (
            "place in an unknown channel",
            Reason::UnknownChannel,
            join(&nowhere),
        ),
        (
            "place in a text channel",
            Reason::WrongChannelKind,
            join(&text),
        ),
        (
            "answer from one in no room",
            Reason::NotInRoom,
            answer(1, "v=0"),
        ),
        ("mute of the owner by a member", Reason::Forbidden, mute),
    ];
    for (what, reason, request) in rows {
        let name = reason.as_str_name().trim_start_matches("REASON_");
        table
            .row(what, refusals(name), Some(reason), refused(request))
            .await?;
    }

    let offer = stranger.ask_for_place(&lounge).await?;
    let config = VoiceConfig {
        tag: 99,
        has_microphone: true,
    };
    let (voice, good) = Voice::answer(config, &offer.sdp).await?;
    let revision = offer.revision;
    let bad_answer = Some(Reason::BadAnswer);
    let broken: [(&'static str, String); 5] = [
        ("SDP answer of noise", "\u{1}\u{2}\u{3}".to_owned()),
        ("SDP answer of one line", "v=0\r\n".to_owned()),
        (
            "SDP answer without a fingerprint",
            without(&good, "a=fingerprint"),
        ),
        (
            "SDP answer without ICE credentials",
            without(&good, "a=ice-"),
        ),
        (
            "SDP answer with a line too few",
            good[..good.rfind("m=").unwrap_or(0)].to_owned(),
        ),
    ];
    for (what, sdp) in broken {
        let bad = refused(answer(revision, &sdp));
        table
            .row(what, refusals("BAD_ANSWER"), bad_answer, bad)
            .await?;
    }
    let bad = refused(answer(revision.wrapping_sub(1), &good));
    let stale = Some(Reason::StaleOffer);
    table
        .row(
            "SDP answer to an older offer",
            refusals("STALE_OFFER"),
            stale,
            bad,
        )
        .await?;

    // After all that, the good answer still gets through.
    stranger.hand_in(&lounge, revision, good).await?;
    voice.connected().await?;
    stranger
        .socket
        .do_it(client_frame::Request::LeaveVoice(wire::LeaveVoice {}))
        .await
}

fn without(sdp: &str, prefix: &str) -> String {
    sdp.split_inclusive('\n')
        .filter(|line| !line.starts_with(prefix))
        .collect()
}

async fn datagrams(table: &mut Table<'_>, people: &[Participant]) -> Result<()> {
    let offered = Offered::read(&people[0].offer);
    let node = offered
        .candidates
        .iter()
        .find(|address| address.ip().is_loopback());
    let node: SocketAddr = *node.context("no loopback candidate")?;
    let socket = UdpSocket::bind(if node.is_ipv4() {
        "127.0.0.1:0"
    } else {
        "[::1]:0"
    })
    .await?;
    let ufrag = &offered.ufrag;

    let mut client_hello = vec![0x16, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 50];
    client_hello.resize(63, 1);
    let mut rtp = vec![0x80, 111, 0, 1];
    rtp.resize(60, 7);
    let rows: [(&'static str, &'static str, Vec<u8>); 7] = [
        ("datagram of noise", "not_demuxable", vec![0xff; 100]),
        ("empty datagram", "not_demuxable", Vec::new()),
        (
            "STUN that does not parse",
            "bad_stun",
            stun::overlong_attribute(),
        ),
        (
            "STUN for a user who is nobody",
            "unknown_user",
            stun::spoofed_check("nobody:me"),
        ),
        (
            "STUN for a seat, with wrong integrity",
            "bad_integrity",
            stun::spoofed_check(&format!("{ufrag}:me")),
        ),
        (
            "DTLS from an unvalidated address",
            "unknown_address",
            client_hello,
        ),
        ("SRTP from an unvalidated address", "unknown_address", rtp),
    ];
    for (what, reason, datagram) in rows {
        let bad = async {
            socket.send_to(&datagram, node).await?;
            Ok(None)
        };
        table.row(what, discards(reason), None, bad).await?;
    }
    let stray = async {
        people[1].voice.send_stray(0xdead_beef).await?;
        Ok(None)
    };
    table
        .row(
            "sealed RTP of an unknown SSRC",
            discards("unknown_ssrc"),
            None,
            stray,
        )
        .await
}
