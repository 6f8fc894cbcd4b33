//! Ports: traits through which the use cases reach outside systems.
//!
//! Ports are named by role; implementations are named by technology. Error variants differ in
//! how the caller has to react. No error text contains a URL, a name, an address or a token.

mod adapters;
mod archive;
mod artifacts;
mod audit;
mod batches;
mod cause;
mod clock;
mod credentials;
mod directory;
mod document_source;
mod drive;
mod exchange;
mod jobs;
mod outbox;
mod presigner;
mod probe;
mod rate_limit;
mod registry;
mod registry_feed;
mod sealer;
mod slots;
mod store;
mod store_error;
mod throttle;
mod webhook;
mod workflow;

pub use adapters::{
    Adapters, AuditAdapters, FinishAdapters, InitiateAdapters, PublishAdapters, PushAdapters,
    ReadAdapters, RegistryAdapters, RetryAdapters, SearchAdapters, SlotAdapters, UploadAdapters,
};
pub use archive::{ArchiveError, AuditArchive};
pub use artifacts::{
    ArtifactError, ArtifactStore, Artifacts, ObjectChecksum, OpenUpload, StoredPart, Verification,
};
pub use audit::{AuditLog, AuditQueue, DENIALS_DELAY, EventKey, EventOutbox};
pub use batches::BatchStore;
pub use cause::Cause;
pub use clock::Clock;
pub use credentials::{CredentialsProvider, Freshness};
pub use directory::{Directory, DirectoryError};
pub use document_source::{DocumentSource, SourceAnswer, SourceError};
pub use drive::{
    ConflictPolicy, Destination, Drive, DriveError, DriveItem, FragmentResult, SessionEnd,
    SessionStatus, UploadSession, UploadUrl,
};
pub use exchange::{ByteStream, ExchangeError, ExchangeStore};
pub use jobs::{
    BatchRetry, CreateOptions, CreateResult, History, HistoryEntry, JobPosition, JobStore,
};
pub use outbox::{OUTBOX_RESEND_DELAY, Outbox, QueueError};
pub use presigner::{PresignedUrl, Presigner};
pub use probe::StorageProbe;
pub use rate_limit::CallCounter;
pub use registry::{
    GrantResult, MAX_GRANTS_PER_PERSON, Registry, RegistryPage, RegistryRange, RegistryWork,
    RegistryWriter, UpsertResult, Withdrawal,
};
pub use registry_feed::{RegistryDeadLetters, RejectedRecord};
pub use sealer::{SealError, Sealer};
pub use slots::{MAX_GRANTS, SlotStore};
pub use store::{
    CheckpointAck, ExchangeKeyStore, FIRST_CHECK_DELAY, PushRecord, PushStore, RecoveryStore,
    Release, SealedSession, SessionRecord, Store, TransferStore, UploadStore, WorkItem,
};
pub use store_error::{StoreError, WriteError};
pub use throttle::{Pause, ThrottleBudget};
pub use webhook::{NotificationOutbox, ReceiverError, Redelivery, WebhookQueue, WebhookReceiver};
pub use workflow::{Execution, Start, Workflow, WorkflowError};
