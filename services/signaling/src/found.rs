//! The calls that a process finds at its SFUs: they go on, with what the store says today.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use crate::refusal::Refusal;
use crate::shared::Shared;

/// How long sessions wait for the SFUs to say who sits there, so that they find their places. Those
/// that are greeted before they said so join anew.
const LONGEST: Duration = Duration::from_secs(3);

/// Compares the calls of each SFU with the store when it is heard first. `begin` is told when
/// sessions can be greeted: after all SFUs were, or after [`LONGEST`]. Compares all again whenever
/// `lost_rooms` is told that a part of the log was lost.
pub(crate) async fn take_over(shared: &Shared, begin: oneshot::Sender<()>, lost_rooms: &Notify) {
    let mut progress = shared.voice.progress();
    let all_tried = progress.wait_for(|progress| progress.all_tried);
    let in_time = tokio::time::timeout(LONGEST, all_tried).await.is_ok();
    if !in_time {
        tracing::warn!("an SFU is late, its calls are not known yet");
    }
    let mut compared = progress.borrow_and_update().nodes;
    compare(shared).await;
    // The fan-out has ended otherwise, and nobody will be greeted.
    let _ = begin.send(());
    loop {
        tokio::select! {
            () = lost_rooms.notified() => {}
            changed = progress.changed() => {
                // The rooms have ended.
                if changed.is_err() {
                    return;
                }
                let heard = progress.borrow_and_update().nodes;
                if heard == compared {
                    continue;
                }
                compared = heard;
            }
        }
        compare(shared).await;
    }
}

/// Brings the calls to what the store says.
async fn compare(shared: &Shared) {
    if let Err(refusal) = bring_up_to_date(shared).await {
        let reason = refusal.reason;
        tracing::error!(
            ?reason,
            "the calls at the SFUs cannot be compared with the store"
        );
    }
}

/// What was stored and never told to the SFU: by a process that ended before, or in a log that is
/// gone.
async fn bring_up_to_date(shared: &Shared) -> Result<(), Refusal> {
    let there = shared.voice.participants().await;
    let channels = there.iter().filter_map(|p| p.channel_id.parse().ok());
    let members = there.iter().filter_map(|p| p.member_id.parse().ok());
    for id in channels.collect::<BTreeSet<_>>() {
        match shared.operations.find_channel(&id).await? {
            Some(channel) => {
                let limit = channel.audible_limit;
                shared.voice.set_audible_limit(id, limit).await;
            }
            None => shared.voice.close_room(id).await,
        }
    }
    for id in members.collect::<BTreeSet<_>>() {
        let mut stored = shared.operations.find_member(&id).await?;
        loop {
            match &stored {
                Some(member) => shared.voice.set_capabilities(member).await,
                None => shared.voice.silence(id.clone()).await,
            }
            // A mute in between may have reached the rooms before this did.
            let again = shared.operations.find_member(&id).await?;
            if again == stored {
                break;
            }
            stored = again;
        }
    }
    Ok(())
}
