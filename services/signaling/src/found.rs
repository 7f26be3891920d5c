//! The calls that a new process finds at its SFU: they go on, with what the store says today.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::refusal::Refusal;
use crate::shared::Shared;

/// How long an SFU may take to say who sits there. Sessions that resume meanwhile wait, so that
/// they find their places; those that come later join anew.
const LONGEST: Duration = Duration::from_secs(3);

/// Takes the calls over and shows them on the board. Returns when sessions can be greeted.
pub(crate) async fn take_over(shared: &Shared) {
    let heard = tokio::time::timeout(LONGEST, shared.voice.heard());
    if heard.await.is_err() {
        tracing::warn!("the SFU is not heard, its calls are not known yet");
    } else if let Err(refusal) = bring_up_to_date(shared).await {
        tracing::error!(reason = ?refusal.reason, "the calls at the SFU cannot be compared with the store");
    }
    let participants = shared.voice.participants().await;
    shared.live.start_anew(participants);
}

/// What was stored while the process before had no time to tell the SFU.
async fn bring_up_to_date(shared: &Shared) -> Result<(), Refusal> {
    let there = shared.voice.participants().await;
    let channels: BTreeSet<_> = there
        .iter()
        .filter_map(|p| p.channel_id.parse().ok())
        .collect();
    let members: BTreeSet<_> = there
        .iter()
        .filter_map(|p| p.member_id.parse().ok())
        .collect();
    for id in channels {
        match shared.operations.find_channel(&id).await? {
            Some(channel) => {
                let limit = channel.audible_limit;
                shared.voice.set_audible_limit(id, limit).await;
            }
            None => shared.voice.close_room(id).await,
        }
    }
    for id in members {
        let member = shared.operations.member(&id).await?;
        shared.voice.set_capabilities(&member).await;
    }
    Ok(())
}
