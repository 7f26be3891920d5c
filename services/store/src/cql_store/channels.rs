//! Channels in CQL.

use gryt_model::{AudibleLimit, Channel, ChannelId, ChannelKind};
use scylla::value::{CqlValue, MaybeUnset};

use super::CqlStore;
use super::statements::conditional_batch;
use crate::cql::Failure;
use crate::{ChannelChange, NewChannel};

/// How often somebody else may take the place that we saw last.
const CLAIMS: u32 = 50;

/// A server without channels has a row of its own record only, in which all of this is null.
type ChannelRow = (
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i32>,
    Option<i32>,
);

pub(super) async fn find(store: &CqlStore, id: &ChannelId) -> Result<Option<Channel>, Failure> {
    let values = (store.id(), id.as_str());
    let row = store.connection.first(&store.statements.channel, values);
    Ok(row.await?.map(read).transpose()?.flatten())
}

pub(super) async fn list(store: &CqlStore) -> Result<Vec<Channel>, Failure> {
    let rows = store
        .connection
        .all(&store.statements.channels, (store.id(),));
    let channels = rows.await?.into_iter().map(read);
    let mut channels = channels
        .filter_map(Result::transpose)
        .collect::<Result<Vec<_>, _>>()?;
    channels.sort_by(|a, b| (a.position, &a.id).cmp(&(b.position, &b.id)));
    Ok(channels)
}

pub(super) async fn create(store: &CqlStore, new: NewChannel) -> Result<Channel, Failure> {
    if store.heads.is_closed(store, &new.id).await? {
        return Err(Failure::UsedId(new.id.to_string()));
    }
    for _ in 0..CLAIMS {
        let position = next_position(store).await?;
        // After the position: whoever made the same channel since then has moved it.
        if let Some(known) = find(store, &new.id).await? {
            return Ok(known);
        }
        if claim(store, &new, position).await? {
            let NewChannel { id, name, kind } = new;
            return Ok(Channel {
                id,
                name,
                kind,
                position,
                audible_limit: AudibleLimit::default(),
            });
        }
    }
    Err(Failure::Contended)
}

pub(super) async fn update(
    store: &CqlStore,
    id: &ChannelId,
    change: ChannelChange,
) -> Result<Option<Channel>, Failure> {
    let ChannelChange {
        name,
        audible_limit,
    } = change;
    if name.is_some() || audible_limit.is_some() {
        let name = name.as_ref().map(|name| name.as_str());
        let limit = audible_limit.map(|limit| i32::from(limit.get()));
        let values = (
            MaybeUnset::from_option(name),
            MaybeUnset::from_option(limit),
            store.id(),
            id.as_str(),
        );
        let statement = &store.statements.update_channel;
        let changed = store.connection.conditional_again(statement, values);
        if !changed.await?.applied {
            return Ok(None);
        }
    }
    find(store, id).await
}

/// Nothing can be appended once the head is closed, so the list of buckets is complete then, and
/// what is still being written falls under their deletion. The channel's row goes last: until then
/// whoever ended in the middle can be repeated.
pub(super) async fn delete(store: &CqlStore, id: &ChannelId) -> Result<bool, Failure> {
    if find(store, id).await?.is_none() {
        return Ok(false);
    }
    store.heads.close(store, id).await?;
    let statements = &store.statements;
    let (server, channel) = (store.id(), id.as_str());
    let all = (server, channel, i32::MAX, i32::MAX);
    let buckets: Vec<(Option<i32>,)> = store.connection.all(&statements.buckets, all).await?;
    for bucket in buckets.into_iter().filter_map(|(bucket,)| bucket) {
        let key = (server, channel, bucket);
        store
            .connection
            .write(&statements.delete_bucket, key)
            .await?;
        store
            .connection
            .write(&statements.unlist_bucket, key)
            .await?;
    }
    let deleted = store
        .connection
        .conditional(&statements.delete_channel, (server, channel));
    Ok(deleted.await?.applied)
}

async fn next_position(store: &CqlStore) -> Result<i32, Failure> {
    let statement = &store.statements.next_position;
    let row: Option<(Option<i32>,)> = store.connection.first(statement, (store.id(),)).await?;
    row.and_then(|(position,)| position)
        .ok_or(Failure::Damaged("server record"))
}

/// False if another channel was made since `position` was the next; or this one, by an attempt that
/// was told nothing.
async fn claim(store: &CqlStore, new: &NewChannel, position: i32) -> Result<bool, Failure> {
    let statements = &store.statements;
    let batch = conditional_batch(&statements.claim_position, [&statements.insert_channel]);
    let text = |text: &str| CqlValue::Text(text.to_owned());
    let values = vec![
        vec![
            CqlValue::Int(position.saturating_add(1)),
            text(store.id()),
            CqlValue::Int(position),
        ],
        vec![
            text(store.id()),
            text(new.id.as_str()),
            text(new.name.as_str()),
            text(kind_text(new.kind)),
            CqlValue::Int(position),
            CqlValue::Int(i32::from(AudibleLimit::default().get())),
        ],
    ];
    let claimed = store.connection.conditional_batch_again(&batch, values);
    Ok(claimed.await?.applied)
}

fn read(row: ChannelRow) -> Result<Option<Channel>, Failure> {
    let (Some(id), Some(name), Some(kind), Some(position), Some(limit)) = row else {
        return Ok(None);
    };
    let limit = u32::try_from(limit).ok().and_then(AudibleLimit::new);
    Ok(Some(Channel {
        id: id.parse().map_err(|_| Failure::Damaged("channel id"))?,
        name: name.parse().map_err(|_| Failure::Damaged("channel name"))?,
        kind: self::kind(&kind).ok_or(Failure::Damaged("channel kind"))?,
        position,
        audible_limit: limit.ok_or(Failure::Damaged("audible limit"))?,
    }))
}

pub(super) fn kind_text(kind: ChannelKind) -> &'static str {
    match kind {
        ChannelKind::Text => "text",
        ChannelKind::Voice => "voice",
    }
}

fn kind(text: &str) -> Option<ChannelKind> {
    [ChannelKind::Text, ChannelKind::Voice]
        .into_iter()
        .find(|kind| kind_text(*kind) == text)
}
