//! Messages in CQL.

use std::sync::Arc;

use gryt_model::{ChannelId, MemberId, Message, MessageId, MessageText, Nonce};

use super::heads::{bucket, id_column};
use super::members::member_id;
use super::{CqlStore, files};
use crate::attachments;
use crate::cql::{Failure, Outcome};
use crate::payload::payload_hash;
use crate::{Appended, MessageEdit, NONCE_KEPT, NewMessage};

/// How often one nonce may be replaced by others while we try to.
const CLAIMS: u32 = 10;

/// A message's row but for its channel: id, author, text, nonce, created, edited, files.
pub(super) type MessageRow = (
    i64,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<String>,
);

/// First an id, then the nonce's row with it, then the message's: whoever finds the nonce knows what
/// to write, and writes it again before acknowledging, in case the first one did not get that far.
pub(super) async fn append(store: &CqlStore, new: NewMessage) -> Result<Appended, Failure> {
    // Never closed.
    let _place = store.appends.acquire().await;
    let id = store.heads.next_id(store, &new.channel, new.unix_ms);
    let Some(id) = id.await.map_err(shared)? else {
        return Ok(Appended::UnknownChannel);
    };
    let payload_hash = payload_hash(&new);
    let nonce = claim_nonce(store, &new, id, payload_hash).await?;
    if nonce.payload_hash != payload_hash {
        return Ok(Appended::NonceReused);
    }
    let message = Message {
        id: nonce.message_id,
        channel: new.channel,
        author: new.author,
        text: new.text,
        attachments: new.attachments,
        nonce: new.nonce,
        created_at_ms: nonce.unix_ms,
        edited_at_ms: None,
    };
    files::remember(store, &message).await?;
    insert(store, &message).await?;
    if nonce.message_id == id {
        return Ok(Appended::New(message));
    }
    Ok(match find(store, &message.channel, message.id).await? {
        Some(message) => Appended::Repeated(message),
        None => Appended::RepeatedDeleted(message.id),
    })
}

pub(super) async fn edit(store: &CqlStore, edit: &MessageEdit) -> Result<Option<Message>, Failure> {
    let values = (
        edit.text.as_str(),
        time_column(edit.unix_ms),
        store.id(),
        edit.channel.as_str(),
        bucket(edit.id),
        id_column(edit.id),
    );
    let statement = &store.statements.edit_message;
    let edited = store.connection.conditional(statement, values).await?;
    if !edited.applied {
        return Ok(None);
    }
    find(store, &edit.channel, edit.id).await
}

pub(super) async fn delete(
    store: &CqlStore,
    channel: &ChannelId,
    id: MessageId,
) -> Result<bool, Failure> {
    let values = (store.id(), channel.as_str(), bucket(id), id_column(id));
    let statement = &store.statements.delete_message;
    let deleted = store.connection.conditional(statement, values).await?;
    Ok(deleted.applied)
}

pub(super) async fn find(
    store: &CqlStore,
    channel: &ChannelId,
    id: MessageId,
) -> Result<Option<Message>, Failure> {
    let values = (store.id(), channel.as_str(), bucket(id), id_column(id));
    let row = store.connection.first(&store.statements.message, values);
    match row.await? {
        Some(row) => read(channel, row),
        None => Ok(None),
    }
}

pub(super) async fn author(
    store: &CqlStore,
    channel: &ChannelId,
    id: MessageId,
) -> Result<Option<MemberId>, Failure> {
    let values = (store.id(), channel.as_str(), bucket(id), id_column(id));
    let row: Option<(Option<String>,)> = store
        .connection
        .first(&store.statements.author, values)
        .await?;
    row.and_then(|(author,)| author)
        .map(|author| member_id(&author))
        .transpose()
}

/// `None` if the message was deleted.
pub(super) fn read(channel: &ChannelId, row: MessageRow) -> Result<Option<Message>, Failure> {
    let (id, author, text, nonce, created_at_ms, edited_at_ms, files) = row;
    let Some(text) = text else {
        return Ok(None);
    };
    let (Some(author), Some(nonce), Some(created_at_ms)) = (author, nonce, created_at_ms) else {
        return Err(Failure::Damaged("message"));
    };
    Ok(Some(Message {
        id: MessageId::new(u64::try_from(id).map_err(|_| Failure::Damaged("message id"))?),
        channel: channel.clone(),
        author: member_id(&author)?,
        text: MessageText::new(&text).ok_or(Failure::Damaged("message text"))?,
        attachments: attachments::read(files.as_deref())
            .ok_or(Failure::Damaged("list of files"))?,
        nonce: nonce.parse().map_err(|_| Failure::Damaged("nonce"))?,
        created_at_ms: time(created_at_ms)?,
        edited_at_ms: edited_at_ms.map(time).transpose()?,
    }))
}

/// Writes the row as it first was: where it was edited or deleted since, it stays so.
async fn insert(store: &CqlStore, message: &Message) -> Result<(), Failure> {
    let values = (
        store.id(),
        message.channel.as_str(),
        bucket(message.id),
        id_column(message.id),
        message.author.as_str(),
        message.text.as_str(),
        message.nonce.as_str(),
        time_column(message.created_at_ms),
        attachments::write(&message.attachments),
    );
    let statement = &store.statements.insert_message;
    store.connection.write(statement, values).await
}

/// What a nonce stands for.
struct UsedNonce {
    message_id: MessageId,
    payload_hash: [u8; 32],
    unix_ms: u64,
}

impl UsedNonce {
    fn read(row: &Outcome) -> Result<Self, Failure> {
        let damaged = || Failure::Damaged("nonce");
        let id = row.number("message_id").ok_or_else(damaged)?;
        let hash = row.bytes("payload_hash").ok_or_else(damaged)?;
        Ok(Self {
            message_id: MessageId::new(u64::try_from(id).map_err(|_| damaged())?),
            payload_hash: hash.try_into().map_err(|_| damaged())?,
            unix_ms: time(row.number("unix_ms").ok_or_else(damaged)?)?,
        })
    }

    fn is_forgotten(&self, unix_ms: u64) -> bool {
        let kept_ms = u64::try_from(NONCE_KEPT.as_millis()).unwrap_or(u64::MAX);
        self.unix_ms < unix_ms.saturating_sub(kept_ms)
    }
}

/// What the nonce stands for from now on: our message, or the one that was first.
async fn claim_nonce(
    store: &CqlStore,
    new: &NewMessage,
    id: MessageId,
    payload_hash: [u8; 32],
) -> Result<UsedNonce, Failure> {
    let values = NonceValues {
        store,
        author: &new.author,
        nonce: &new.nonce,
        channel: &new.channel,
        id: id_column(id),
        payload_hash: &payload_hash,
        unix_ms: time_column(new.unix_ms),
    };
    for _ in 0..CLAIMS {
        let claimed = values.claim().await?;
        let ours = UsedNonce {
            message_id: id,
            payload_hash,
            unix_ms: new.unix_ms,
        };
        if claimed.applied {
            return Ok(ours);
        }
        let used = UsedNonce::read(&claimed)?;
        if !used.is_forgotten(new.unix_ms) {
            return Ok(used);
        }
        let replaced = values.replace(used.message_id).await?;
        if replaced.applied {
            return Ok(ours);
        }
    }
    Err(Failure::Contended)
}

struct NonceValues<'a> {
    store: &'a CqlStore,
    author: &'a MemberId,
    nonce: &'a Nonce,
    channel: &'a ChannelId,
    id: i64,
    payload_hash: &'a [u8; 32],
    unix_ms: i64,
}

impl NonceValues<'_> {
    async fn claim(&self) -> Result<Outcome, Failure> {
        let values = (
            self.store.id(),
            self.author.as_str(),
            self.nonce.as_str(),
            self.channel.as_str(),
            self.id,
            self.payload_hash.as_slice(),
            self.unix_ms,
        );
        let statement = &self.store.statements.claim_nonce;
        self.store
            .connection
            .conditional_again(statement, values)
            .await
    }

    async fn replace(&self, old: MessageId) -> Result<Outcome, Failure> {
        let values = (
            self.channel.as_str(),
            self.id,
            self.payload_hash.as_slice(),
            self.unix_ms,
            self.store.id(),
            self.author.as_str(),
            self.nonce.as_str(),
            id_column(old),
        );
        let statement = &self.store.statements.replace_nonce;
        self.store
            .connection
            .conditional_again(statement, values)
            .await
    }
}

fn time_column(unix_ms: u64) -> i64 {
    i64::try_from(unix_ms).unwrap_or(i64::MAX)
}

fn time(column: i64) -> Result<u64, Failure> {
    u64::try_from(column).map_err(|_| Failure::Damaged("time"))
}

/// Those who waited for one claim share its failure.
fn shared(failure: Arc<Failure>) -> Failure {
    Arc::try_unwrap(failure).unwrap_or_else(Failure::read_answer)
}
