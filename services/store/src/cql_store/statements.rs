//! Every statement of the store, prepared once. `TIMESTAMP 1` marks rows that are written as they
//! first were: whatever changed them since was later, so writing them again changes nothing.

use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::prepared::PreparedStatement;

use crate::cql::{Connection, Failure};

pub(super) struct Statements {
    pub(super) server: PreparedStatement,
    pub(super) claim_server: PreparedStatement,
    pub(super) rename_server: PreparedStatement,
    pub(super) claim_owner: PreparedStatement,

    pub(super) user: PreparedStatement,
    pub(super) claim_user: PreparedStatement,
    pub(super) member: PreparedStatement,
    pub(super) members: PreparedStatement,
    pub(super) insert_member: PreparedStatement,
    pub(super) rename_member: PreparedStatement,
    pub(super) mute_member: PreparedStatement,

    pub(super) channel: PreparedStatement,
    pub(super) channels: PreparedStatement,
    pub(super) next_position: PreparedStatement,
    pub(super) claim_position: PreparedStatement,
    pub(super) insert_channel: PreparedStatement,
    pub(super) update_channel: PreparedStatement,
    pub(super) delete_channel: PreparedStatement,

    pub(super) head: PreparedStatement,
    pub(super) begin_head: PreparedStatement,
    pub(super) move_head: PreparedStatement,
    pub(super) list_bucket: PreparedStatement,
    pub(super) unlist_bucket: PreparedStatement,
    pub(super) buckets: PreparedStatement,

    pub(super) claim_nonce: PreparedStatement,
    pub(super) replace_nonce: PreparedStatement,
    pub(super) insert_message: PreparedStatement,
    pub(super) edit_message: PreparedStatement,
    pub(super) delete_message: PreparedStatement,
    pub(super) message: PreparedStatement,
    pub(super) author: PreparedStatement,
    pub(super) page: PreparedStatement,
    pub(super) delete_bucket: PreparedStatement,

    pub(super) insert_file: PreparedStatement,
    pub(super) file_places: PreparedStatement,
    pub(super) forget_file: PreparedStatement,
}

impl Statements {
    pub(super) async fn prepare(connection: &Connection) -> Result<Self, Failure> {
        Ok(Self {
            server: connection
                .prepare_serial("SELECT server_name FROM servers WHERE server = ? LIMIT 1")
                .await?,
            claim_server: connection
                .prepare_conditional(
                    "UPDATE servers SET server_name = ?, next_position = ? WHERE server = ?
                 IF server_name = null",
                )
                .await?,
            rename_server: connection
                .prepare_conditional(
                    "UPDATE servers SET server_name = ? WHERE server = ? IF server_name != null",
                )
                .await?,
            claim_owner: connection
                .prepare_conditional(
                    "UPDATE servers SET owner = ? WHERE server = ? IF owner = null",
                )
                .await?,

            user: connection
                .prepare("SELECT member FROM users WHERE server = ? AND issuer = ? AND subject = ?")
                .await?,
            claim_user: connection
                .prepare_conditional(
                    "INSERT INTO users (server, issuer, subject, member) VALUES (?, ?, ?, ?)
                 IF NOT EXISTS",
                )
                .await?,
            member: connection
                .prepare(
                    "SELECT member, name, role, server_muted FROM members
                 WHERE server = ? AND member = ?",
                )
                .await?,
            members: connection
                .prepare("SELECT member, name, role, server_muted FROM members WHERE server = ?")
                .await?,
            insert_member: connection
                .prepare_conditional(
                    "INSERT INTO members (server, member, name, role, server_muted)
                 VALUES (?, ?, ?, ?, false) IF NOT EXISTS",
                )
                .await?,
            rename_member: connection
                .prepare_conditional(
                    "UPDATE members SET name = ? WHERE server = ? AND member = ? IF EXISTS",
                )
                .await?,
            mute_member: connection
                .prepare_conditional(
                    "UPDATE members SET server_muted = ? WHERE server = ? AND member = ? IF EXISTS",
                )
                .await?,

            channel: connection
                .prepare(
                    "SELECT channel, name, kind, position, audible_limit FROM servers
                 WHERE server = ? AND channel = ?",
                )
                .await?,
            channels: connection
                .prepare(
                    "SELECT channel, name, kind, position, audible_limit FROM servers
                 WHERE server = ?",
                )
                .await?,
            next_position: connection
                .prepare_serial("SELECT next_position FROM servers WHERE server = ? LIMIT 1")
                .await?,
            claim_position: connection
                .prepare_conditional(
                    "UPDATE servers SET next_position = ? WHERE server = ? IF next_position = ?",
                )
                .await?,
            insert_channel: connection
                .prepare(
                    "INSERT INTO servers (server, channel, name, kind, position, audible_limit)
                 VALUES (?, ?, ?, ?, ?, ?)",
                )
                .await?,
            update_channel: connection
                .prepare_conditional(
                    "UPDATE servers SET name = ?, audible_limit = ?
                 WHERE server = ? AND channel = ? IF EXISTS",
                )
                .await?,
            delete_channel: connection
                .prepare_conditional(
                    "DELETE FROM servers WHERE server = ? AND channel = ? IF EXISTS",
                )
                .await?,

            head: connection
                .prepare_serial(
                    "SELECT last_id, bucket FROM heads WHERE server = ? AND channel = ? LIMIT 1",
                )
                .await?,
            begin_head: connection
                .prepare_conditional(
                    "UPDATE heads SET last_id = ? WHERE server = ? AND channel = ?
                 IF last_id = null",
                )
                .await?,
            move_head: connection
                .prepare_conditional(
                    "UPDATE heads SET last_id = ? WHERE server = ? AND channel = ? IF last_id = ?",
                )
                .await?,
            list_bucket: connection
                .prepare("INSERT INTO heads (server, channel, bucket) VALUES (?, ?, ?)")
                .await?,
            unlist_bucket: connection
                .prepare("DELETE FROM heads WHERE server = ? AND channel = ? AND bucket = ?")
                .await?,
            buckets: connection
                .prepare(
                    "SELECT bucket FROM heads
                 WHERE server = ? AND channel = ? AND bucket <= ? LIMIT ?",
                )
                .await?,

            // 48 hours, and one more for clocks that differ: the row's own time decides.
            claim_nonce: connection
                .prepare_conditional(
                    "INSERT INTO nonces
                 (server, author, nonce, channel, message_id, payload_hash, unix_ms)
                 VALUES (?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS USING TTL 176400",
                )
                .await?,
            replace_nonce: connection
                .prepare_conditional(
                    "UPDATE nonces USING TTL 176400
                 SET channel = ?, message_id = ?, payload_hash = ?, unix_ms = ?
                 WHERE server = ? AND author = ? AND nonce = ? IF message_id = ?",
                )
                .await?,
            insert_message: connection
                .prepare(
                    "INSERT INTO messages
                 (server, channel, bucket, id, author, text, nonce, created_at_ms, attachments)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP 1",
                )
                .await?,
            edit_message: connection
                .prepare_conditional(
                    "UPDATE messages SET text = ?, edited_at_ms = ?
                 WHERE server = ? AND channel = ? AND bucket = ? AND id = ? IF text != null",
                )
                .await?,
            delete_message: connection
                .prepare_conditional(
                    "UPDATE messages SET text = null, attachments = null
                 WHERE server = ? AND channel = ? AND bucket = ? AND id = ? IF text != null",
                )
                .await?,
            message: connection
                .prepare(
                    "SELECT id, author, text, nonce, created_at_ms, edited_at_ms, attachments
                 FROM messages
                 WHERE server = ? AND channel = ? AND bucket = ? AND id = ?",
                )
                .await?,
            author: connection
                .prepare(
                    "SELECT author FROM messages
                 WHERE server = ? AND channel = ? AND bucket = ? AND id = ?",
                )
                .await?,
            page: connection
                .prepare(
                    "SELECT id, author, text, nonce, created_at_ms, edited_at_ms, attachments
                 FROM messages
                 WHERE server = ? AND channel = ? AND bucket = ? AND id < ? LIMIT ?",
                )
                .await?,
            delete_bucket: connection
                .prepare("DELETE FROM messages WHERE server = ? AND channel = ? AND bucket = ?")
                .await?,

            insert_file: connection
                .prepare(
                    "INSERT INTO files (server, file, channel, message_id) VALUES (?, ?, ?, ?)",
                )
                .await?,
            file_places: connection
                .prepare("SELECT channel, message_id FROM files WHERE server = ? AND file = ?")
                .await?,
            forget_file: connection
                .prepare("DELETE FROM files WHERE server = ? AND file = ?")
                .await?,
        })
    }
}

/// A condition with the writes that happen if it holds, all in one partition.
pub(super) fn conditional_batch<'a>(
    condition: &PreparedStatement,
    writes: impl IntoIterator<Item = &'a PreparedStatement>,
) -> Batch {
    let mut batch = Batch::new(BatchType::Logged);
    batch.append_statement(condition.clone());
    for write in writes {
        batch.append_statement(write.clone());
    }
    batch
}
