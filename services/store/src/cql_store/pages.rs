//! Pages of a channel's history, from the newest bucket back.

use gryt_model::{ChannelId, Message, MessageId};

use super::CqlStore;
use super::heads::{bucket, id_column};
use super::messages::{MessageRow, read};
use crate::Page;
use crate::cql::Failure;

/// Rows of one read. Deleted messages are among them, and are left out.
const ROWS_AT_ONCE: usize = 512;
/// Buckets of one look at the list: more than a year.
const BUCKETS_AT_ONCE: i32 = 64;

/// Reads only buckets that hold messages, in bounded pieces, until the page is full.
pub(super) async fn page(
    store: &CqlStore,
    channel: &ChannelId,
    before: Option<MessageId>,
    limit: u32,
) -> Result<Page, Failure> {
    // One more than asked tells whether there is more.
    let wanted = usize::try_from(limit)
        .unwrap_or(usize::MAX)
        .saturating_add(1);
    let mut found = Vec::new();
    let mut newest = before.map_or(i32::MAX, bucket);
    'history: loop {
        let values = (store.id(), channel.as_str(), newest, BUCKETS_AT_ONCE);
        let buckets: Vec<(Option<i32>,)> = store
            .connection
            .all(&store.statements.buckets, values)
            .await?;
        let more = buckets.len() >= BUCKETS_AT_ONCE as usize;
        for bucket in buckets.into_iter().filter_map(|(bucket,)| bucket) {
            read_bucket(store, channel, bucket, before, wanted, &mut found).await?;
            if found.len() >= wanted {
                break 'history;
            }
            newest = bucket.saturating_sub(1);
        }
        if !more {
            break;
        }
    }
    let has_more = found.len() >= wanted;
    if has_more {
        found.truncate(wanted - 1);
    }
    found.reverse();
    Ok(Page {
        messages: found,
        has_more,
    })
}

/// Adds messages, newest first, until there are `wanted` or the bucket ends.
async fn read_bucket(
    store: &CqlStore,
    channel: &ChannelId,
    bucket: i32,
    before: Option<MessageId>,
    wanted: usize,
    found: &mut Vec<Message>,
) -> Result<(), Failure> {
    let mut below = before.map_or(i64::MAX, id_column);
    while found.len() < wanted {
        let count = (wanted - found.len()).min(ROWS_AT_ONCE);
        let limit = i32::try_from(count).map_err(Failure::read_answer)?;
        let values = (store.id(), channel.as_str(), bucket, below, limit);
        let rows: Vec<MessageRow> = store.connection.all(&store.statements.page, values).await?;
        let ended = rows.len() < count;
        for row in rows {
            below = row.0;
            found.extend(read(channel, row)?);
        }
        if ended {
            break;
        }
    }
    Ok(())
}
