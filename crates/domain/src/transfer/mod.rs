//! Transfers: the record, its destination, its arrival in the exchange bucket, its end.

mod arrival;
mod deadline;
mod exchange_key;
mod exchange_object;
mod outcome;
mod progress;
mod record;
mod stages;
mod target;
mod tries;

pub use arrival::{ArrivalRules, ArrivalVerdict, check_arrival};
pub use deadline::DeadlineRules;
pub use exchange_key::{
    ExchangeKey, Identity, LateArrivalKey, MAX_PUSH_DURATION, OutstandingPush,
    STORE_CLOCK_TOLERANCE, UNNAMED_PUSH_TIMEOUT, identify, is_contested, proven_push,
};
pub use exchange_object::{FoundObject, ObjectHead, ObjectVersion};
pub use outcome::{DeliveredFile, Outcome, OutcomeRecord};
pub use progress::percent;
pub use record::{NewTransfer, SCHEMA_VERSION, Transfer};
pub use stages::{ArrivedObject, DeliveredItem, Delivery, Failure, PushedSource};
pub use target::{DownloadTarget, DriveTarget, Target};
pub use tries::{FailedTries, Step, TransientError};
