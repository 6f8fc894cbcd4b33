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
pub use bundles::BundleStore;
pub use clock::Clock;
pub use credentials::{CredentialsProvider, Lookup};
pub use directory::{Directory, DirectoryError};
pub use drive::{
    ConflictPolicy, Destination, Drive, DriveError, DriveItem, FragmentAnswer, SessionEnd,
    SessionStatus, UploadSession, UploadUrl,
};
pub use index::{DocumentIndex, IndexedDocument};
pub use jobs::{Entered, Entry, History, JobPlace, JobStore, Listed};
pub use outbox::{AuditQueue, OUTBOX_REST, Outbox, QueueError};
pub use presigner::{PresignedUrl, Presigner};
pub use probe::StorageProbe;
pub use quota::Quota;
pub use sealer::{SealError, Sealer};
pub use slots::{MOST_GRANTS, SlotStore};
pub use source::{DocumentSource, SourceAnswer, SourceError};
pub use staging::{ByteStream, Staging, StagingError};
pub use store::{
    CheckpointAck, Due, FIRST_LOOK, PushRecord, Release, SealedSession, SessionRecord, StoreError,
    TransferStore, WriteError,
};
pub use throttle::{Pause, ThrottleBudget};
pub use webhook::{Notices, Receiver, ReceiverError, Redelivery, WebhookQueue};
pub use workflow::{Execution, Start, Workflow, WorkflowError};

/// Everything that the DynamoDB table holds.
pub trait Store:
    TransferStore + SlotStore + BundleStore + Outbox + Notices + ArtifactStore + JobStore
{
}

impl<T: TransferStore + SlotStore + BundleStore + Outbox + Notices + ArtifactStore + JobStore> Store
    for T
{
}

/// Cause of an error, for the log.
///
/// Its text must hold no secret and no personal data.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;
