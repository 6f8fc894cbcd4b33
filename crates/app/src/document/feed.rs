//! The feed of the document registry: the system of record sends each new or changed record as one
//! message.
//!
//! The queue delivers a message at least once and in any order. The registry's rule for merging
//! ([`DocumentRecord::merged_with`]) makes the result independent of both, if each change of a
//! record has a later `indexed`.

use docferry_domain::document::{DocumentRecord, FieldError, RecordRules, SubjectPatterns};

use crate::ports::{
    Clock, QueueError, RegistryDeadLetters, RegistryWriter, RejectedRecord, StoreError,
    UpsertResult,
};

/// Maximum number of broken rules in the reason of a rejection. SQS limits the size of a message.
const MAX_RULES: usize = 10;

/// Name of the field in errors that concern the whole record.
const WHOLE_RECORD: &str = "record";

/// Result of handling a message. The message can be removed from the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedResult {
    /// The registry has stored the record.
    Stored,
    /// The registry has a newer record of the document, or the same one.
    Unchanged,
    /// The registry does not accept the record. It is in the dead-letter queue.
    Rejected {
        /// Name of the faulty member ([`RejectedRecord::field`]).
        field: &'static str,
    },
}

/// Failure to handle a message. The queue must deliver it again.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The registry failed.
    #[error(transparent)]
    Registry(#[from] StoreError),
    /// The dead-letter queue did not accept the record.
    #[error(transparent)]
    DeadLetters(#[from] QueueError),
}

/// Handles one message of the feed: stores its record, or adds the message to the dead-letter queue
/// with the reason. The call can be repeated.
///
/// The rules for a record are those of `docferry documents import`. A message holds one record; white
/// space around it is allowed.
///
/// # Errors
/// [`FeedError`] if the registry or the dead-letter queue failed.
pub async fn feed_record(
    registry: &impl RegistryWriter,
    dead_letters: &impl RegistryDeadLetters,
    subjects: &SubjectPatterns,
    clock: &impl Clock,
    message: String,
) -> Result<FeedResult, FeedError> {
    let rules = RecordRules { subjects, now: clock.now() };
    let rejected = match DocumentRecord::from_json(&message, &rules) {
        Err(errors) => reject(message, &errors),
        Ok(record) => match registry.upsert(&record).await? {
            UpsertResult::Stored => return Ok(FeedResult::Stored),
            UpsertResult::Unchanged => return Ok(FeedResult::Unchanged),
            UpsertResult::Conflict { field } => {
                let problem = "conflicts with a registered document".to_owned();
                reject(message, &[FieldError { field: field.to_owned(), problem }])
            }
        },
    };
    dead_letters.add_rejected(&rejected).await?;
    Ok(FeedResult::Rejected { field: rejected.field })
}

/// Creates the rejection of a message with these errors.
fn reject(message: String, errors: &[FieldError]) -> RejectedRecord {
    let known_field =
        |error: &FieldError| DocumentRecord::FIELDS.into_iter().find(|field| *field == error.field);
    let field = errors.first().and_then(known_field).unwrap_or(WHOLE_RECORD);
    let mut rules: Vec<_> = errors.iter().take(MAX_RULES).map(ToString::to_string).collect();
    if errors.len() > MAX_RULES {
        rules.push(format!("{} more errors", errors.len() - MAX_RULES));
    }
    RejectedRecord { message, field, reason: rules.join("\n") }
}
