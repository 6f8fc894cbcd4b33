//! Ports: traits through which the use cases reach outside systems.
//!
//! Ports are named by role; implementations are named by technology. Error variants are cut by
//! how the caller has to react. No error text holds a URL, a name, an address or a token.

mod artifacts;
mod bundles;
mod clock;
mod credentials;
mod directory;
mod drive;
mod index;
mod jobs;
mod outbox;
mod presigner;
mod probe;
mod quota;
mod sealer;
mod slots;
mod source;
mod staging;
mod store;
mod throttle;
mod webhook;
mod workflow;

pub use artifacts::{ArtifactError, ArtifactStore, Artifacts, OpenUpload, StoredPart};
pub use bundles::BatchStore;
pub use clock::Clock;
pub use credentials::{CredentialsProvider, Freshness};
pub use directory::{Directory, DirectoryError};
pub use drive::{
    ConflictPolicy, Destination, Drive, DriveError, DriveItem, FragmentResult, SessionEnd,
    SessionStatus, UploadSession, UploadUrl,
};
pub use index::{DocumentIndex, IndexedDocument};
pub use jobs::{CreateResult, Entry, History, HistoryEntry, JobPosition, JobStore};
pub use outbox::{AuditQueue, OUTBOX_RESEND_DELAY, Outbox, QueueError};
pub use presigner::{PresignedUrl, Presigner};
pub use probe::StorageProbe;
pub use quota::CallCounter;
pub use sealer::{SealError, Sealer};
pub use slots::{MAX_GRANTS, SlotStore};
pub use source::{DocumentSource, SourceAnswer, SourceError};
pub use staging::{ByteStream, ExchangeError, ExchangeStore};
pub use store::{
    CheckpointAck, FIRST_CHECK_DELAY, PushRecord, Release, SealedSession, SessionRecord,
    StoreError, TransferStore, WorkItem, WriteError,
};
pub use throttle::{Pause, ThrottleBudget};
pub use webhook::{NotificationOutbox, ReceiverError, Redelivery, WebhookQueue, WebhookReceiver};
pub use workflow::{Execution, Start, Workflow, WorkflowError};

/// Everything that the DynamoDB table holds.
pub trait Store:
    TransferStore + SlotStore + BatchStore + Outbox + NotificationOutbox + ArtifactStore + JobStore
{
}

impl<
    T: TransferStore + SlotStore + BatchStore + Outbox + NotificationOutbox + ArtifactStore + JobStore,
> Store for T
{
}

/// Cause of an error, for the log.
///
/// Its text must hold no secret and no personal data.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;
