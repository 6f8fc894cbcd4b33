//! The rules of a transfer, pure: no async, no I/O, no clock, no environment.
//!
//! Everything here is a function of its arguments, so that the model tests can
//! run thousands of interleavings in a second. Time comes in as a parameter.

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

pub use admission::{Admission, Limits, Person, Pool, PoolLimits, Priority, Slots, Turn, Waiting};
pub use arrival::{
    ArrivalRules, ArrivalVerdict, FoundObject, ObjectHead, ObjectVersion, judge_arrival,
};
pub use artifact::{Artifact, ArtifactRecord};
pub use bundle::{Bundle, BundleCounts, MOST_DOCUMENTS, OnItemError};
pub use callback::{CallbackRule, CallbackUrl, InvalidCallback};
pub use course::{
    Action, Answer, Course, CourseRules, End, Gap, MAX_FAILURES, MAX_RENEWALS, MAX_SESSIONS, Names,
    Seen,
};
pub use deadline::DeadlineRules;
pub use destination::{DocumentName, DriveFolder, PathRule};
pub use exchange_key::{
    ExchangeKey, Identity, LONGEST_PUSH, OutstandingPush, OwedKey, STORE_CLOCK_TOLERANCE,
    UNNAMED_PUSH_WAIT, identify, is_contested, seen_push,
};
pub use failure::{FailureCode, UnknownFailureCode};
pub use file_id::FileId;
pub use follow::{News, Standing, Told, UnknownEvent, news};
pub use fragment::{
    FragmentPlan, FragmentRange, GRANULE_BYTES, LARGEST_FRAGMENT_BYTES, SMALL_FILE_BYTES,
};
pub use ids::{InvalidId, ObjectGuid, TransferId};
pub use job::{JobState, next_poll_ms};
pub use notice::Notice;
pub use outcome::{DeliveredFile, Outcome, OutcomeRecord};
pub use pace::{Pace, eta_seconds};
pub use phase::Phase;
pub use policy::ConflictPolicy;
pub use progress::percent;
pub use quickxor::{HashState, QuickXorHash, SourceHash};
pub use recipient::{InvalidRecipient, Recipient};
pub use request::NamedRequest;
pub use spread::spread;
pub use stages::{
    ArrivedObject, Checkpoint, DeliveredItem, Delivery, Failure, PushedSource, Tally,
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
