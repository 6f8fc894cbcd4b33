//! Transfers. A *transfer* brings one document from the document source through the exchange bucket
//! to its destination.
//!
//! The modules define the stored record of a transfer, its deadlines and its outcome. They also
//! contain the rules that decide whether an object in the exchange bucket is the transfer's
//! document.

mod arrival;
mod deadline;
mod exchange_key;
mod exchange_object;
mod outcome;
mod outcome_record;
mod outstanding_push;
mod progress;
mod record;
mod run;
#[cfg(test)]
mod sample;
mod stages;
mod target;
mod tries;

pub use arrival::{ArrivalRules, ArrivalVerdict, check_arrival};
pub use deadline::DeadlineRules;
pub use exchange_key::{
    ExchangeKey, Identity, LateArrivalKey, MAX_PUSH_DURATION, UNNAMED_PUSH_TIMEOUT, identify,
    is_contested, proven_push,
};
pub use exchange_object::{FoundObject, ObjectHead, ObjectVersion};
pub use outcome::Outcome;
pub use outcome_record::{AuditDestination, DeliveredFile, OutcomeRecord};
pub use outstanding_push::{OutstandingPush, STORE_CLOCK_TOLERANCE};
pub use progress::percent;
pub use record::{NewTransfer, SCHEMA_VERSION, Transfer};
pub use stages::{ArrivedObject, DeliveredItem, Delivery, Failure, PushedSource};
pub use target::{DownloadTarget, DriveTarget, Target};
pub use tries::{FailedTries, Step, TransientError};
