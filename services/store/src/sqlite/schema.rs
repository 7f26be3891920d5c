//! Schema versions: upwards in one transaction, never downwards.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::file;
use crate::error::{Cause, Error};

/// The steps that lead from an empty file to today's schema. Step n makes version n; steps are
/// only ever added. The version is SQLite's `user_version`.
#[derive(Debug, Clone, Copy)]
pub struct Schema(
    /// SQL of each step.
    pub &'static [&'static str],
);

impl Schema {
    /// Takes the steps that the file has not had yet, then runs `prepare`, all in one transaction.
    pub(super) fn bring_up_to_date<T>(
        &self,
        path: &Path,
        connection: &mut Connection,
        prepare: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        // Before anything is written: a newer file is left as it is.
        let version = version(connection).map_err(|source| Error::Open {
            path: path.to_owned(),
            source: source.into(),
        })?;
        self.missing_from(path, version)?;
        let migrate = |source: Cause| Error::Migrate {
            path: path.to_owned(),
            source,
        };
        file::use_wal(connection).map_err(|source| migrate(source.into()))?;
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|source| migrate(source.into()))?;
        // Once more under the lock: another process may have been faster.
        let version = self::version(&transaction).map_err(|source| migrate(source.into()))?;
        let missing = self.missing_from(path, version)?;
        let finish = || {
            for step in missing {
                transaction.execute_batch(step)?;
            }
            transaction.pragma_update(None, "user_version", self.newest())?;
            let prepared = prepare(&transaction)?;
            transaction.commit()?;
            Ok(prepared)
        };
        finish().map_err(|source: rusqlite::Error| migrate(source.into()))
    }

    fn missing_from(&self, path: &Path, found: u32) -> Result<&'static [&'static str], Error> {
        let steps = self.0;
        usize::try_from(found)
            .ok()
            .and_then(|taken| steps.get(taken..))
            .ok_or_else(|| Error::NewerSchema {
                path: path.to_owned(),
                found,
                known: self.newest(),
            })
    }

    fn newest(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }
}

fn version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}
