//! How a conditional statement (a lightweight transaction) ended.

use scylla::errors::{DbError, ExecutionError, PrepareError, RequestAttemptError};
use scylla::response::query_result::QueryResult;
use scylla::value::{CqlValue, Row};

use super::error::Failure;

/// Whether the condition held, and else the row that was found.
///
/// ScyllaDB answers the old row always, Cassandra only a refusal's, and batches answer several rows:
/// so columns are looked up by name in the first row.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) applied: bool,
    columns: Vec<(String, CqlValue)>,
}

impl Outcome {
    pub(super) fn read(answer: QueryResult) -> Result<Self, Failure> {
        let rows = answer.into_rows_result().map_err(Failure::read_answer)?;
        let first: Row = rows.first_row().map_err(Failure::read_answer)?;
        let columns: Vec<(String, CqlValue)> = rows
            .column_specs()
            .iter()
            .zip(first.columns)
            .filter_map(|(spec, value)| Some((spec.name().to_owned(), value?)))
            .collect();
        let applied = columns
            .iter()
            .find(|(name, _)| name == "[applied]")
            .and_then(|(_, value)| value.as_boolean())
            .ok_or(Failure::Damaged("answer of a lightweight transaction"))?;
        Ok(Self { applied, columns })
    }

    pub(crate) fn text(&self, column: &str) -> Option<&str> {
        self.value(column)?.as_text().map(String::as_str)
    }

    pub(crate) fn number(&self, column: &str) -> Option<i64> {
        self.value(column)?.as_bigint()
    }

    pub(crate) fn bytes(&self, column: &str) -> Option<&[u8]> {
        self.value(column)?.as_blob().map(Vec::as_slice)
    }

    fn value(&self, column: &str) -> Option<&CqlValue> {
        let found = self.columns.iter().find(|(name, _)| name == column)?;
        Some(&found.1)
    }
}

/// Whether the same statement may well succeed in a moment. It may also have taken effect: only what
/// is harmless twice is tried again.
pub(crate) fn is_passing(error: &ExecutionError) -> bool {
    match last_attempt(error) {
        Some(RequestAttemptError::DbError(error, _)) => matches!(
            error,
            DbError::Unavailable { .. }
                | DbError::Overloaded
                | DbError::IsBootstrapping
                | DbError::ReadTimeout { .. }
                | DbError::WriteTimeout { .. }
                | DbError::ServerError
        ),
        Some(attempt) => matches!(
            attempt,
            RequestAttemptError::BrokenConnectionError(_)
                | RequestAttemptError::UnableToAllocStreamId
        ),
        None => matches!(
            error,
            ExecutionError::RequestTimeout(_)
                | ExecutionError::ConnectionPoolError(_)
                | ExecutionError::PrepareError(PrepareError::ConnectionPoolError(_))
                | ExecutionError::EmptyPlan
        ),
    }
}

/// Whether the database did not understand a fixed text, which means that a table is not there.
pub(super) fn is_missing(error: &ExecutionError) -> bool {
    matches!(
        last_attempt(error),
        Some(RequestAttemptError::DbError(DbError::Invalid, _))
    )
}

/// What a node answered, where one did.
fn last_attempt(error: &ExecutionError) -> Option<&RequestAttemptError> {
    if let ExecutionError::PrepareError(PrepareError::AllAttemptsFailed { first_attempt }) = error {
        return Some(first_attempt);
    }
    if let ExecutionError::LastAttemptError(attempt) = error {
        return Some(attempt);
    }
    None
}
