//! The rules of a transfer as pure functions: no async code, no I/O, no clock and no
//! environment variables.
//!
//! Every result depends on the arguments alone, and the current time is one of them. So the
//! model tests can run thousands of interleavings in a second. The use cases in
//! `crates/app` call these rules and carry out the effects.

mod admission;
mod arrival;
mod artifact;
mod bundle;
mod callback;
mod course;
mod deadline;
mod destination;
mod exchange_key;
mod failure;
mod file_id;
mod follow;
mod fragment;
mod ids;
mod job;
mod notice;
mod outcome;
mod pace;
mod phase;
mod policy;
mod progress;
mod quickxor;
mod recipient;
pub mod refusal;
mod request;
pub mod settings;
mod spread;
mod stages;
mod target;
mod text;
mod trace;
mod transfer;
mod tries;
mod verify;
mod zip;

pub use admission::{
    Person, Pool, PoolLimits, Priority, QueueEntry, SlotAllocator, SlotLimits, SlotState, Slots,
};
pub use arrival::{
    ArrivalRules, ArrivalVerdict, FoundObject, ObjectHead, ObjectVersion, check_arrival,
};
pub use artifact::{Artifact, ArtifactRecord};
pub use bundle::{Batch, BatchCounts, MAX_DOCUMENTS, OnItemError};
pub use callback::{CallbackRule, CallbackUrl, InvalidCallback};
pub use course::{
    CandidateNames, Command, DriveEvent, ExpectedRange, InvocationOutcome, MAX_FAILURES,
    MAX_RENEWALS, MAX_SESSIONS, Occupancy, UploadMachine, UploadRules,
};
pub use deadline::DeadlineRules;
pub use destination::{DocumentName, DriveFolder, PathRule};
pub use exchange_key::{
    ExchangeKey, Identity, LateArrivalKey, MAX_PUSH_DURATION, OutstandingPush,
    STORE_CLOCK_TOLERANCE, UNNAMED_PUSH_TIMEOUT, identify, is_contested, proven_push,
};
pub use failure::{FailureCode, UnknownFailureCode};
pub use file_id::FileId;
pub use follow::{Cursor, InvalidEventId, JobEvent, JobSnapshot, events_since};
pub use fragment::{
    FragmentPlan, FragmentRange, GRANULE_BYTES, LARGEST_FRAGMENT_BYTES, SMALL_FILE_BYTES,
};
pub use ids::{InvalidId, ObjectGuid, TransferId};
pub use job::{JobState, next_poll_ms};
pub use notice::WebhookNotification;
pub use outcome::{DeliveredFile, Outcome, OutcomeRecord};
pub use pace::{Throughput, eta_seconds};
pub use phase::Phase;
pub use policy::ConflictPolicy;
pub use progress::percent;
pub use quickxor::{HashState, QuickXorHash, SourceHash};
pub use recipient::{InvalidRecipient, Recipient};
pub use request::IdempotencyRecord;
pub use spread::spread;
pub use stages::{
    ArrivedObject, Checkpoint, DeliveredItem, Delivery, Failure, PushedSource, UploadCounters,
};
pub use target::{DownloadTarget, DriveTarget, Target};
pub use text::{is_printable, media_type};
pub use trace::{InvalidTraceParent, TraceParent};
pub use transfer::{NewTransfer, SCHEMA_VERSION, Transfer};
pub use tries::{FailedTries, Step, TransientError};
pub use verify::{
    ContentParts, Evidence, ItemFacts, Rewriting, Verdict, is_plausible_rewriting, judge_rewriting,
    verify_delivery,
};
pub use zip::{MAX_DIRECTORY_BYTES, ZIP_TAIL_BYTES, ZipContents, ZipDirectory, ZipKind};
