//! The handshake of `GET /ws`: origin, subprotocol, token, number of sockets.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Extension;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use gryt_model::SessionId;
use gryt_proto::client::v1::Reason;

use super::outbox::Farewell;
use super::session::{self, Admission};
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::{clock, entropy};

const SUBPROTOCOL: &str = "gryt.v1";
const BEARER: &str = "bearer.";

/// What may be buffered of a message before it is refused unread. Above the limit for frames, so
/// that a client that is a little over it can still be told.
const BUFFER_BYTES: usize = 1024 * 1024;

/// Answers the handshake. A refusal of what a page can mend is said over the socket, because
/// browsers hide the status of a refused handshake.
pub(crate) async fn upgrade(
    State(shared): State<Arc<Shared>>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let refuse = |refusal: Refusal| {
        shared.metrics.refused_upgrade(refusal.reason);
        refusal.into_response(SessionId::from_random(entropy::bits()).as_str())
    };
    let token = match handshake(&shared, &headers) {
        Ok(token) => token,
        Err(refusal) => return refuse(refusal),
    };
    let Ok(upgrade) = upgrade else {
        return refuse(Refusal::malformed("This is the address of a WebSocket."));
    };
    let address = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Extension(peer)| {
        peer.0.ip()
    });
    let Some(place) = shared.sockets.take_of_address(address).await else {
        return refuse(Refusal::new(
            Reason::RateLimited,
            "Too many sockets from this address.",
        ));
    };
    let admission = admit(&shared, token).await;
    upgrade
        .protocols([SUBPROTOCOL])
        .max_message_size(BUFFER_BYTES)
        .max_frame_size(BUFFER_BYTES)
        .on_upgrade(move |socket| async move {
            Box::pin(session::run(socket, shared, admission)).await;
            drop(place);
        })
}

/// Returns the token of an acceptable handshake.
fn handshake<'a>(shared: &Shared, headers: &'a HeaderMap) -> Result<&'a str, Refusal> {
    if shared.stopping.is_cancelled() {
        return Err(Refusal::new(Reason::GoingAway, "The server is going away."));
    }
    // Only browsers send an origin, and only they can be made to talk by a foreign page.
    if let Some(origin) = headers.get(header::ORIGIN)
        && !origin
            .to_str()
            .is_ok_and(|origin| shared.origins.allow(origin))
    {
        return Err(Refusal::new(
            Reason::OriginForbidden,
            "This page may not talk to this server.",
        ));
    }
    let offered = || {
        headers
            .get_all(header::SEC_WEBSOCKET_PROTOCOL)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
    };
    if !offered().any(|protocol| protocol == SUBPROTOCOL) {
        return Err(Refusal::malformed("The subprotocol is gryt.v1."));
    }
    offered()
        .find_map(|protocol| protocol.strip_prefix(BEARER))
        .ok_or_else(|| {
            Refusal::new(
                Reason::Unauthenticated,
                "The token is missing: subprotocol bearer.<jwt>.",
            )
        })
}

async fn admit(shared: &Shared, token: &str) -> Admission {
    let claims = match shared.verifier.verify(token, clock::wall()).await {
        Ok(claims) => claims,
        Err(error) => {
            let refusal = Refusal::from(error);
            return Admission::Refused(Farewell {
                reason: refusal.reason,
                message: match refusal.message {
                    Cow::Borrowed(message) => message,
                    Cow::Owned(_) => "The token is not accepted.",
                },
            });
        }
    };
    match shared.sockets.take_of_user(claims.user.clone()).await {
        Some(place) => Admission::Admitted { claims, place },
        None => Admission::Refused(Farewell {
            reason: Reason::RateLimited,
            message: "You have too many sockets open.",
        }),
    }
}
