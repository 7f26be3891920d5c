//! What signaling counts. No user, session or channel is ever a label.

use std::fmt::Write as _;
use std::time::Duration;

use gryt_proto::client::v1::{Reason, client_frame};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::refusal;

/// A kind of request, as a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum RequestKind {
    Unreadable,
    Hello,
    RenewToken,
    Ping,
    SendMessage,
    EditMessage,
    DeleteMessage,
    FetchMessages,
    JoinVoice,
    AnswerOffer,
    LeaveVoice,
    SetVoiceState,
    MuteMember,
    CreateChannel,
    UpdateChannel,
    DeleteChannel,
    CreateInvite,
    ListInvites,
    RevokeInvite,
}

impl From<Option<&client_frame::Request>> for RequestKind {
    fn from(request: Option<&client_frame::Request>) -> Self {
        use client_frame::Request;
        let Some(request) = request else {
            return Self::Unreadable;
        };
        match request {
            Request::Hello(_) => Self::Hello,
            Request::RenewToken(_) => Self::RenewToken,
            Request::Ping(_) => Self::Ping,
            Request::SendMessage(_) => Self::SendMessage,
            Request::EditMessage(_) => Self::EditMessage,
            Request::DeleteMessage(_) => Self::DeleteMessage,
            Request::FetchMessages(_) => Self::FetchMessages,
            Request::JoinVoice(_) => Self::JoinVoice,
            Request::AnswerOffer(_) => Self::AnswerOffer,
            Request::LeaveVoice(_) => Self::LeaveVoice,
            Request::SetVoiceState(_) => Self::SetVoiceState,
            Request::MuteMember(_) => Self::MuteMember,
            Request::CreateChannel(_) => Self::CreateChannel,
            Request::UpdateChannel(_) => Self::UpdateChannel,
            Request::DeleteChannel(_) => Self::DeleteChannel,
            Request::CreateInvite(_) => Self::CreateInvite,
            Request::ListInvites(_) => Self::ListInvites,
            Request::RevokeInvite(_) => Self::RevokeInvite,
        }
    }
}

/// A `Reason` as a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ReasonLabel(Reason);

impl EncodeLabelValue for ReasonLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        encoder.write_str(refusal::code(self.0))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByRequest {
    request: RequestKind,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReason {
    reason: ReasonLabel,
}

/// Signaling's figures.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    requests: Family<ByRequest, Counter>,
    refusals: Family<ByReason, Counter>,
    seconds: Family<ByRequest, Histogram>,
    goodbyes: Family<ByReason, Counter>,
    refused_upgrades: Family<ByReason, Counter>,
    pub(crate) sessions: Gauge,
    pub(crate) deliveries: Counter,
    pub(crate) rooms: Gauge,
    pub(crate) participants: Gauge,
    pub(crate) sfu_call_failures: Counter,
}

impl Metrics {
    /// Makes the figures and registers them.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        const SECONDS: [f64; 10] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];
        let metrics = Self {
            requests: Family::default(),
            refusals: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            goodbyes: Family::default(),
            refused_upgrades: Family::default(),
            sessions: Gauge::default(),
            deliveries: Counter::default(),
            rooms: Gauge::default(),
            participants: Gauge::default(),
            sfu_call_failures: Counter::default(),
        };
        let registry = registry.sub_registry_with_prefix("gryt_signaling");
        let Self {
            requests,
            refusals,
            seconds,
            goodbyes,
            refused_upgrades,
            sessions,
            deliveries,
            rooms,
            participants,
            sfu_call_failures,
        } = metrics.clone();
        registry.register("requests", "Requests answered, by kind", requests);
        registry.register("refusals", "Requests refused, by reason", refusals);
        registry.register("request_seconds", "Time to the reply, by kind", seconds);
        registry.register("goodbyes", "Sockets ended by the server", goodbyes);
        registry.register("refused_upgrades", "Handshakes refused", refused_upgrades);
        registry.register("sessions", "Open sessions", sessions);
        registry.register("deliveries", "Events put into outboxes", deliveries);
        registry.register("rooms", "Live rooms", rooms);
        registry.register("participants", "Participants in rooms", participants);
        registry.register(
            "sfu_call_failures",
            "Calls to an SFU without an answer",
            sfu_call_failures,
        );
        metrics
    }

    pub(crate) fn answered(&self, request: RequestKind, refused: Option<Reason>, took: Duration) {
        self.requests.get_or_create(&ByRequest { request }).inc();
        self.seconds
            .get_or_create(&ByRequest { request })
            .observe(took.as_secs_f64());
        if let Some(reason) = refused {
            count(&self.refusals, reason);
        }
    }

    pub(crate) fn goodbye(&self, reason: Reason) {
        count(&self.goodbyes, reason);
    }

    pub(crate) fn refused_upgrade(&self, reason: Reason) {
        count(&self.refused_upgrades, reason);
    }
}

fn count(family: &Family<ByReason, Counter>, reason: Reason) {
    let reason = ReasonLabel(reason);
    family.get_or_create(&ByReason { reason }).inc();
}
