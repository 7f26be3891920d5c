//! Gives out message ids: in each channel one order for all processes that write at once.
//!
//! A channel's head is the last id given out. Moving it is a lightweight transaction, so an append
//! that begins after another one was acknowledged gets a higher id, on whichever replica, whatever
//! the clocks say. Appends that wait for the same channel move it together, like writes that share
//! an fsync.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use gryt_model::{ChannelId, MessageId};
use scylla::value::CqlValue;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::CqlStore;
use super::statements::conditional_batch;
use crate::cql::Failure;

/// The head of a deleted channel. It stays, so that nothing is ever appended there again.
const CLOSED: i64 = -1;
/// The head of a channel without messages.
const EMPTY: i64 = 0;
/// How many ids one move of the head gives out.
const IDS_AT_ONCE: usize = 256;
/// How often other replicas may move a head between our look and our move.
const MOVES: u32 = 50;
/// Ten days of a channel lie in one partition. Never changes: a bucket is found by its id alone.
const BUCKET_MS: u64 = 10 * 24 * 60 * 60 * 1_000;

/// The partition of a channel in which a message lies.
pub(super) fn bucket(id: MessageId) -> i32 {
    i32::try_from(id.unix_ms() / BUCKET_MS).unwrap_or(i32::MAX)
}

/// CQL's integers are signed. Ids beyond them come only from a client's `before`, and mean the
/// newest.
pub(super) fn id_column(id: MessageId) -> i64 {
    i64::try_from(id.get()).unwrap_or(i64::MAX)
}

/// The channels that this process has written to since it began: one small entry each.
#[derive(Default)]
pub(super) struct Heads {
    lanes: Mutex<HashMap<ChannelId, Arc<Lane>>>,
}

/// Who waits for ids in one channel. At most as many as appends may be under way.
#[derive(Default)]
struct Lane {
    waiting: Mutex<VecDeque<Waiting>>,
    /// As this process saw it last; `None` if it must look.
    head: tokio::sync::Mutex<Option<Head>>,
}

struct Waiting {
    unix_ms: u64,
    tell: oneshot::Sender<Claim>,
}

/// An id; or none, because there is no such channel; or why nobody can tell.
type Claim = Result<Option<MessageId>, Arc<Failure>>;

#[derive(Debug, Clone, Copy)]
struct Head {
    last_id: i64,
    /// The newest bucket that is listed.
    bucket: Option<i32>,
}

impl Heads {
    /// An id above every one given out in the channel before; `None` if there is no such channel.
    pub(super) async fn next_id(
        &self,
        store: &CqlStore,
        channel: &ChannelId,
        unix_ms: u64,
    ) -> Result<Option<MessageId>, Arc<Failure>> {
        let lane = self.lane(channel);
        let mut told = lane.wait(unix_ms);
        let mut head = lane.head.lock().await;
        loop {
            match told.try_recv() {
                Ok(claim) => return claim,
                Err(TryRecvError::Empty) => lane.serve(store, channel, &mut head).await,
                // Whoever had taken our place along gave up in the middle.
                Err(TryRecvError::Closed) => told = lane.wait(unix_ms),
            }
        }
    }

    /// Whether the channel was deleted once.
    pub(super) async fn is_closed(
        &self,
        store: &CqlStore,
        channel: &ChannelId,
    ) -> Result<bool, Failure> {
        let head = look(store, channel).await?;
        Ok(head.is_some_and(|head| head.last_id == CLOSED))
    }

    /// Ends the channel: no id is given out in it ever after.
    pub(super) async fn close(&self, store: &CqlStore, channel: &ChannelId) -> Result<(), Failure> {
        for _ in 0..MOVES {
            if close(store, channel).await? {
                self.forget(channel);
                return Ok(());
            }
        }
        Err(Failure::Contended)
    }

    fn lane(&self, channel: &ChannelId) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lanes.entry(channel.clone()).or_default())
    }

    fn forget(&self, channel: &ChannelId) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.remove(channel);
    }
}

impl Lane {
    fn wait(&self, unix_ms: u64) -> oneshot::Receiver<Claim> {
        let (tell, told) = oneshot::channel();
        self.queue().push_back(Waiting { unix_ms, tell });
        told
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, VecDeque<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims ids for those who wait, in the order in which they came.
    async fn serve(&self, store: &CqlStore, channel: &ChannelId, head: &mut Option<Head>) {
        let batch: Vec<Waiting> = {
            let mut queue = self.queue();
            let count = queue.len().min(IDS_AT_ONCE);
            queue
                .drain(..count)
                .filter(|waiting| !waiting.tell.is_closed())
                .collect()
        };
        let clocks: Vec<u64> = batch.iter().map(|waiting| waiting.unix_ms).collect();
        match claim(store, channel, head, &clocks).await {
            Ok(Some(ids)) => {
                for (waiting, id) in batch.into_iter().zip(ids) {
                    // Whoever is gone leaves a gap.
                    let _ = waiting.tell.send(Ok(Some(id)));
                }
            }
            Ok(None) => {
                for waiting in batch {
                    let _ = waiting.tell.send(Ok(None));
                }
            }
            Err(failure) => {
                let failure = Arc::new(failure);
                for waiting in batch {
                    let _ = waiting.tell.send(Err(Arc::clone(&failure)));
                }
            }
        }
    }
}

/// Moves the head over one id for each of `clocks`, rising; `None` if there is no such channel.
async fn claim(
    store: &CqlStore,
    channel: &ChannelId,
    known: &mut Option<Head>,
    clocks: &[u64],
) -> Result<Option<Vec<MessageId>>, Failure> {
    for _ in 0..MOVES {
        // Taken out: should this be dropped in the middle, the next one looks again.
        let head = match known.take() {
            Some(head) => head,
            None => match find_or_begin(store, channel).await? {
                Some(head) => head,
                None => return Ok(None),
            },
        };
        if head.last_id == CLOSED {
            return Ok(None);
        }
        let ids = rising_ids(head.last_id, clocks);
        match move_head(store, channel, head, &ids).await {
            Ok(Some(moved)) => {
                *known = Some(moved);
                return Ok(Some(ids));
            }
            // Another replica was faster.
            Ok(None) => {}
            // It may have moved nevertheless, so these ids are never used: the next look is above.
            Err(Failure::Execute(error)) if crate::cql::is_passing(&error) => {
                tracing::debug!(%error, "head looked up again");
            }
            Err(failure) => return Err(failure),
        }
    }
    Err(Failure::Contended)
}

/// False if it moved since we looked.
async fn close(store: &CqlStore, channel: &ChannelId) -> Result<bool, Failure> {
    let (server, id) = (store.id(), channel.as_str());
    let statements = &store.statements;
    let closed = match look(store, channel).await? {
        Some(head) if head.last_id == CLOSED => return Ok(true),
        Some(head) => {
            let values = (CLOSED, server, id, head.last_id);
            store
                .connection
                .conditional_again(&statements.move_head, values)
                .await?
        }
        None => {
            let values = (CLOSED, server, id);
            store
                .connection
                .conditional_again(&statements.begin_head, values)
                .await?
        }
    };
    Ok(closed.applied)
}

fn rising_ids(last_id: i64, clocks: &[u64]) -> Vec<MessageId> {
    let mut last = u64::try_from(last_id)
        .ok()
        .filter(|last| *last > 0)
        .map(MessageId::new);
    clocks
        .iter()
        .map(|unix_ms| {
            let id = MessageId::next(last, *unix_ms);
            last = Some(id);
            id
        })
        .collect()
}

/// `None` if it is somewhere else by now.
async fn move_head(
    store: &CqlStore,
    channel: &ChannelId,
    head: Head,
    ids: &[MessageId],
) -> Result<Option<Head>, Failure> {
    let Some(last) = ids.last() else {
        return Ok(Some(head));
    };
    let mut buckets: Vec<i32> = ids.iter().copied().map(bucket).collect();
    buckets.dedup();
    buckets.retain(|bucket| head.bucket.is_none_or(|listed| *bucket > listed));
    let statements = &store.statements;
    let moved = if buckets.is_empty() {
        let values = (id_column(*last), store.id(), channel.as_str(), head.last_id);
        store
            .connection
            .conditional(&statements.move_head, values)
            .await?
    } else {
        let lists = buckets.iter().map(|_| &statements.list_bucket);
        let batch = conditional_batch(&statements.move_head, lists);
        let text = |text: &str| CqlValue::Text(text.to_owned());
        let (server, id) = (text(store.id()), text(channel.as_str()));
        let mut values = vec![vec![
            CqlValue::BigInt(id_column(*last)),
            server.clone(),
            id.clone(),
            CqlValue::BigInt(head.last_id),
        ]];
        for bucket in &buckets {
            values.push(vec![server.clone(), id.clone(), CqlValue::Int(*bucket)]);
        }
        store.connection.conditional_batch(&batch, values).await?
    };
    Ok(moved.applied.then(|| Head {
        last_id: id_column(*last),
        bucket: buckets.last().copied().or(head.bucket),
    }))
}

/// A channel's head is made by its first append, unless the channel was deleted first.
async fn find_or_begin(store: &CqlStore, channel: &ChannelId) -> Result<Option<Head>, Failure> {
    // The second look is for whoever was slower.
    for _ in 0..2 {
        if let Some(head) = look(store, channel).await? {
            return Ok(Some(head));
        }
        if super::channels::find(store, channel).await?.is_none() {
            return Ok(None);
        }
        let values = (EMPTY, store.id(), channel.as_str());
        let begin = &store.statements.begin_head;
        store.connection.conditional_again(begin, values).await?;
    }
    look(store, channel).await
}

async fn look(store: &CqlStore, channel: &ChannelId) -> Result<Option<Head>, Failure> {
    let values = (store.id(), channel.as_str());
    let statement = &store.statements.head;
    let row: Option<(Option<i64>, Option<i32>)> = store.connection.first(statement, values).await?;
    Ok(row.and_then(|(last_id, bucket)| {
        Some(Head {
            last_id: last_id?,
            bucket,
        })
    }))
}
