//! A whole node over gRPC and UDP, without a WebRTC client: that part is in the black-box tests.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::num::NonZeroUsize;
use std::time::Duration;

use gryt_proto::sfu::v1;
use gryt_proto::sfu::v1::sfu_service_client::SfuServiceClient;
use gryt_runtime::occupancy::{Occupancy, OccupancyKey};
use gryt_sfu::{Sfu, SfuConfig};
use hyper_util::rt::TokioIo;
use prometheus_client::registry::Registry;
use tokio_stream::StreamExt;
use tonic::transport::{Channel, Endpoint, Server};

struct Running {
    sfu: Sfu,
    client: SfuServiceClient<Channel>,
}

async fn start() -> Running {
    let config = SfuConfig {
        media_port: 0,
        media_bind: Ipv4Addr::LOCALHOST.into(),
        workers: NonZeroUsize::new(2),
        ..SfuConfig::default()
    };
    let sfu = Sfu::start(config).unwrap();
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let service = sfu.service();
    tokio::spawn(async move {
        let incoming = tokio_stream::once(Ok::<_, std::io::Error>(ours));
        Server::builder()
            .add_service(service)
            .serve_with_incoming(incoming)
            .await
    });
    let mut theirs = Some(theirs);
    let connector = tower::service_fn(move |_| {
        let end = theirs
            .take()
            .ok_or_else(|| std::io::Error::other("connected before"));
        async move { end.map(TokioIo::new) }
    });
    let channel = Endpoint::from_static("http://sfu")
        .connect_with_connector(connector)
        .await
        .unwrap();
    Running {
        sfu,
        client: SfuServiceClient::new(channel),
    }
}

fn context(request_id: &str, epoch: u64) -> Option<v1::CallContext> {
    Some(v1::CallContext {
        request_id: request_id.to_owned(),
        room: Some(v1::Room {
            server_id: "a".repeat(26),
            channel_id: "b".repeat(26),
        }),
        epoch,
    })
}

fn seat(request_id: &str, participant_id: u32, epoch: u64) -> v1::SeatRequest {
    v1::SeatRequest {
        context: context(request_id, epoch),
        participant_id,
        capabilities: Some(v1::Capabilities {
            may_speak: true,
            may_show: false,
        }),
        audible_limit: 25,
        holder: Some(v1::Holder {
            member_id: "m".repeat(26),
            session_id: "s".repeat(26),
            watcher: "w".to_owned(),
            ..v1::Holder::default()
        }),
    }
}

fn leave(request_id: &str, participant_id: u32, epoch: u64) -> v1::LeaveRequest {
    v1::LeaveRequest {
        context: context(request_id, epoch),
        participant_id,
        session_id: String::new(),
    }
}

impl Running {
    async fn seat(&mut self, request: v1::SeatRequest) -> Result<v1::Offer, v1::Refused> {
        match self
            .client
            .seat(request)
            .await
            .unwrap()
            .into_inner()
            .outcome
            .unwrap()
        {
            v1::seat_response::Outcome::Offer(offer) => Ok(offer),
            v1::seat_response::Outcome::Refused(refused) => Err(refused),
        }
    }

    async fn leave(&mut self, request: v1::LeaveRequest) -> Result<(), v1::Refused> {
        match self
            .client
            .leave(request)
            .await
            .unwrap()
            .into_inner()
            .outcome
            .unwrap()
        {
            v1::leave_response::Outcome::Done(v1::Done {}) => Ok(()),
            v1::leave_response::Outcome::Refused(refused) => Err(refused),
        }
    }

    async fn hold(&mut self, request: v1::SetHolderRequest) -> Result<(), v1::Refused> {
        let response = self.client.set_holder(request).await.unwrap();
        match response.into_inner().outcome.unwrap() {
            v1::set_holder_response::Outcome::Done(v1::Done {}) => Ok(()),
            v1::set_holder_response::Outcome::Refused(refused) => Err(refused),
        }
    }

    fn figure(&self, line: &str) -> u64 {
        let mut registry = Registry::default();
        self.sfu.register(&mut registry);
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &registry).unwrap();
        let found = page
            .lines()
            .find_map(|found| found.strip_prefix(line)?.strip_prefix(' '));
        found
            .unwrap_or_else(|| panic!("no \"{line}\" in\n{page}"))
            .parse()
            .unwrap()
    }
}

#[tokio::test]
async fn a_call_that_is_sent_again_gets_its_first_outcome() {
    let mut running = start().await;
    let first = running.seat(seat("one", 7, 1)).await.unwrap();
    let again = running.seat(seat("one", 7, 1)).await.unwrap();
    assert_eq!(first, again);
    assert!(first.sdp.contains("candidate"), "{}", first.sdp);

    running.leave(leave("two", 7, 1)).await.unwrap();
    running.leave(leave("two", 7, 1)).await.unwrap();
    assert_eq!(running.figure("gryt_sfu_participants"), 0);
    let unknown = running.leave(leave("three", 7, 1)).await.unwrap_err();
    assert_eq!(unknown.refusal(), v1::Refusal::UnknownRoom);
    running.sfu.shutdown().await;
}

#[tokio::test]
async fn a_request_id_is_not_shared_between_kinds_of_calls() {
    let mut running = start().await;
    running.seat(seat("one", 7, 1)).await.unwrap();
    let refused = running.leave(leave("one", 7, 1)).await.unwrap_err();
    assert_eq!(refused.refusal(), v1::Refusal::Malformed);
    running.sfu.shutdown().await;
}

#[tokio::test]
async fn a_caller_that_knows_of_no_holders_gets_its_seats() {
    let mut running = start().await;
    let older = v1::SeatRequest {
        holder: None,
        ..seat("one", 7, 1)
    };
    running.seat(older).await.unwrap();
    running.sfu.shutdown().await;
}

#[tokio::test]
async fn who_holds_a_place_is_told_to_who_watches_and_fences_older_owners() {
    let mut running = start().await;
    running.seat(seat("one", 7, 1)).await.unwrap();
    let holder = v1::Holder {
        session_id: "another".to_owned(),
        muted: true,
        ..seat("", 7, 1).holder.unwrap()
    };
    let hold = |request_id, epoch, participant_id| v1::SetHolderRequest {
        context: context(request_id, epoch),
        participant_id,
        holder: Some(holder.clone()),
        from_session_id: "s".repeat(26),
    };
    assert_eq!(running.hold(hold("two", 2, 7)).await, Ok(()));
    let unknown = running.hold(hold("three", 2, 8)).await.unwrap_err();
    assert_eq!(unknown.refusal(), v1::Refusal::UnknownParticipant);

    let request = v1::WatchRequest {
        watcher: "w".to_owned(),
    };
    let mut watch = running.client.watch(request).await.unwrap().into_inner();
    let first = watch.message().await.unwrap().unwrap().event;
    let Some(v1::watch_response::Event::Snapshot(snapshot)) = first else {
        panic!("no snapshot: {first:?}");
    };
    assert_eq!(snapshot.seated[0].holder, Some(holder.clone()));
    assert_eq!(snapshot.seated[0].audible_limit, 25);

    let late = running.leave(leave("four", 7, 1)).await.unwrap_err();
    assert_eq!(late.refusal(), v1::Refusal::StaleEpoch);
    let late = running.hold(hold("five", 1, 7)).await.unwrap_err();
    assert_eq!(late.refusal(), v1::Refusal::StaleEpoch);
    running.sfu.shutdown().await;
}

#[tokio::test]
async fn a_stale_owner_is_fenced() {
    let mut running = start().await;
    running.seat(seat("one", 7, 5)).await.unwrap();
    let stale = running.seat(seat("two", 8, 4)).await.unwrap_err();
    assert_eq!(stale.refusal(), v1::Refusal::StaleEpoch);
    let stale = running.leave(leave("three", 7, 4)).await.unwrap_err();
    assert_eq!(stale.refusal(), v1::Refusal::StaleEpoch);
    assert_eq!(running.figure("gryt_sfu_participants"), 1);
    running.sfu.shutdown().await;
}

#[tokio::test]
async fn bad_calls_are_refused_by_name() {
    let mut running = start().await;
    let good = seat("x", 7, 1);
    let room = |server_id: &str| {
        Some(v1::Room {
            server_id: server_id.to_owned(),
            channel_id: "b".repeat(26),
        })
    };
    let bad = [
        v1::SeatRequest {
            context: None,
            ..good.clone()
        },
        v1::SeatRequest {
            context: context("", 1),
            ..good.clone()
        },
        v1::SeatRequest {
            context: context(&"x".repeat(65), 1),
            ..good.clone()
        },
        v1::SeatRequest {
            context: context("a b", 1),
            ..good.clone()
        },
        v1::SeatRequest {
            context: Some(v1::CallContext {
                room: None,
                ..context("y", 1).unwrap()
            }),
            ..good.clone()
        },
        v1::SeatRequest {
            context: Some(v1::CallContext {
                room: room("no id"),
                ..context("y", 1).unwrap()
            }),
            ..good.clone()
        },
        v1::SeatRequest {
            participant_id: 0,
            ..good.clone()
        },
        v1::SeatRequest {
            capabilities: None,
            ..good.clone()
        },
        v1::SeatRequest {
            audible_limit: 0,
            ..good.clone()
        },
        v1::SeatRequest {
            audible_limit: 33,
            ..good.clone()
        },
        v1::SeatRequest {
            holder: Some(v1::Holder::default()),
            ..good.clone()
        },
        v1::SeatRequest {
            holder: Some(v1::Holder {
                member_id: "m".repeat(65),
                ..good.holder.clone().unwrap()
            }),
            ..good.clone()
        },
    ];
    for request in bad {
        let refused = running.seat(request.clone()).await.unwrap_err();
        assert_eq!(refused.refusal(), v1::Refusal::Malformed, "{request:?}");
    }
    running.seat(good).await.unwrap();
    running.sfu.shutdown().await;
}

#[tokio::test]
async fn a_watch_shows_who_is_seated_and_ends_with_the_node() {
    let mut running = start().await;
    running.seat(seat("one", 7, 1)).await.unwrap();
    let request = v1::WatchRequest {
        watcher: "test".to_owned(),
    };
    let mut watch = running.client.watch(request).await.unwrap().into_inner();
    let first = watch.next().await.unwrap().unwrap();
    let Some(v1::watch_response::Event::Snapshot(snapshot)) = first.event else {
        panic!("no snapshot: {first:?}");
    };
    assert_eq!(snapshot.seated[0].participant_id, 7);

    running.sfu.shutdown().await;
    assert!(!running.sfu.is_ready());
    let last = watch.next().await.unwrap().unwrap_err();
    assert_eq!(last.code(), tonic::Code::Unavailable);
    let draining = running.seat(seat("two", 8, 1)).await.unwrap_err();
    assert_eq!(draining.refusal(), v1::Refusal::Draining);
}

#[tokio::test]
async fn a_probe_without_a_user_is_told_its_address_and_garbage_is_counted() {
    let running = start().await;
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let node = SocketAddr::from((Ipv4Addr::LOCALHOST, running.sfu.media_ports()[1]));

    socket.send_to(&[0xff; 40], node).unwrap();
    let mut probe = [0; 20];
    probe[..8].copy_from_slice(&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]);
    socket.send_to(&probe, node).unwrap();

    let mut reply = [0; 200];
    let (length, from) = socket.recv_from(&mut reply).unwrap();
    assert_eq!(from, node);
    assert_eq!(
        reply[..2],
        [1, 1],
        "a Binding success response (RFC 8489 section 5)"
    );
    assert!(length > 20);
    running.sfu.shutdown().await;
    assert_eq!(running.figure("gryt_sfu_answered_probes_total"), 1);
    assert_eq!(
        running.figure("gryt_sfu_discarded_packets_total{reason=\"not_demuxable\"}"),
        1
    );
}

#[tokio::test]
async fn whoever_has_the_key_is_told_how_busy_the_node_is() {
    let mut running = start().await;
    let key = OccupancyKey::derive(b"the node's private key");
    running.sfu.trust(&key).unwrap();
    running.seat(seat("one", 7, 1)).await.unwrap();
    running.seat(seat("two", 8, 1)).await.unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let stranger = OccupancyKey::derive(b"another key").request([1; 12]);

    for port in running.sfu.media_ports() {
        let node = SocketAddr::from((Ipv4Addr::LOCALHOST, *port));
        socket.send_to(&stranger, node).unwrap();
        socket.send_to(&key.request([2; 12]), node).unwrap();
        let mut reply = [0; 200];
        let length = socket.recv(&mut reply).unwrap();
        let told = key.read_response(&reply[..length], [2; 12]);
        let everything = Occupancy {
            calls: 1,
            participants: 2,
        };
        assert_eq!(told, Some(everything), "the stranger was answered");
    }
    running.sfu.shutdown().await;
    let dropped = running.figure("gryt_sfu_discarded_packets_total{reason=\"bad_stun\"}");
    assert_eq!(dropped, 2, "a stranger is one to the node");
}
