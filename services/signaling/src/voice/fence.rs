//! Calls that the SFU refused because it knows of a later owner of the room: another process has
//! made the room there, too, and this one has not heard of it yet. Whoever still means the room on
//! this node calls again, at the epoch that it names.

use gryt_proto::sfu::v1 as sfu;

/// A request that is fenced by an epoch.
pub(super) trait Fenced: Clone {
    fn context(&mut self) -> Option<&mut sfu::CallContext>;
}

/// A response that may be a refusal.
pub(super) trait Refusable {
    fn refused(&self) -> Option<&sfu::Refused>;

    /// The epoch to call again with, if it is higher than that of the call.
    fn highest_epoch(&self, called_at: u64) -> Option<u64> {
        let refused = self.refused()?;
        let is_stale = refused.refusal() == sfu::Refusal::StaleEpoch;
        (is_stale && refused.highest_epoch > called_at).then_some(refused.highest_epoch)
    }
}

macro_rules! fenced {
    ($($request:ident => $response:ident in $outcome:ident,)*) => {$(
        impl Fenced for sfu::$request {
            fn context(&mut self) -> Option<&mut sfu::CallContext> {
                self.context.as_mut()
            }
        }

        impl Refusable for sfu::$response {
            fn refused(&self) -> Option<&sfu::Refused> {
                match &self.outcome {
                    Some(sfu::$outcome::Outcome::Refused(refused)) => Some(refused),
                    _ => None,
                }
            }
        }
    )*};
}

fenced! {
    SeatRequest => SeatResponse in seat_response,
    AnswerRequest => AnswerResponse in answer_response,
    SetCapabilitiesRequest => SetCapabilitiesResponse in set_capabilities_response,
    SetHolderRequest => SetHolderResponse in set_holder_response,
    SetAudibleLimitRequest => SetAudibleLimitResponse in set_audible_limit_response,
    LeaveRequest => LeaveResponse in leave_response,
}
