//! Adapters of the use cases. An *adapter* is a type that implements a port.
//!
//! Each use case has one trait here, which names the adapters that the use case needs. A Lambda
//! function implements the traits of its use cases for an empty enum `P`. It then builds the struct
//! of ports of the use case from its clients, such as
//! [`UploadPorts<P>`](crate::delivery::upload::UploadPorts).
//!
//! Each use case has its own trait because each function has its own rights. A function has only
//! the clients that it needs, and a use case cannot reach any other port.

use std::fmt::Debug;

use super::{
    ArtifactStore, Artifacts, AuditLog, BatchStore, Clock, Directory, DocumentSource, Drive,
    ExchangeKeyStore, ExchangeStore, History, Presigner, PushStore, Registry, Sealer, SlotStore,
    StorageProbe, Store, ThrottleBudget, TransferStore, UploadStore, Workflow,
};

/// Adapters that every use case needs.
pub trait Adapters: Debug + Send + Sync + 'static {
    /// Transfer records.
    type Store: TransferStore + Debug + 'static;
    /// Source of the current time.
    type Clock: Clock + Debug + 'static;
}

/// Adapters of the slot scheduler.
pub trait SlotAdapters: Adapters<Store: SlotStore> {
    /// Starts executions.
    type Workflow: Workflow + Debug + 'static;
}

/// Adapter of every use case that names or delivers documents, or issues URLs for them.
pub trait RegistryAdapters: Debug + Send + Sync + 'static {
    /// The document registry, which decides who may see a document.
    type Registry: Registry + Debug + 'static;
}

/// Adapter of the routes that return documents or their metadata, or refuse to return them.
pub trait AuditAdapters: Debug + Send + Sync + 'static {
    /// Log of audit events.
    type Audit: AuditLog + Debug + 'static;
}

/// Adapters of the route that retries jobs.
pub trait RetryAdapters: SlotAdapters<Store: Store> + RegistryAdapters + AuditAdapters {}

/// Adapters of the routes that create jobs.
pub trait InitiateAdapters: SlotAdapters<Store: Store> + RegistryAdapters + AuditAdapters {
    /// Directory that maps e-mail addresses to users of OneDrive.
    type Directory: Directory + Debug + 'static;
}

/// Adapters of the routes that search for documents. A search result links to downloads, which
/// these routes start as well.
pub trait SearchAdapters: SlotAdapters<Store: Store> + RegistryAdapters + AuditAdapters {}

/// Adapters of the routes that read jobs.
pub trait ReadAdapters:
    Adapters<Store: TransferStore + BatchStore + History> + RegistryAdapters + AuditAdapters
{
    /// Creates presigned URLs and probes the delivery bucket.
    type Presigner: Presigner + StorageProbe + Debug + 'static;
}

/// Adapters of the step `push`.
pub trait PushAdapters:
    Adapters<Store: PushStore + ExchangeKeyStore + ArtifactStore + BatchStore> + RegistryAdapters
{
    /// The document source.
    type Source: DocumentSource;
    /// The exchange bucket.
    type Exchange: ExchangeStore;
}

/// Adapters of the step `upload`.
pub trait UploadAdapters:
    Adapters<Store: UploadStore + PushStore + ExchangeKeyStore> + RegistryAdapters
{
    /// The recipient's drive.
    type Drive: Drive;
    /// The exchange bucket, which read-ahead tasks share.
    type Exchange: ExchangeStore + 'static;
    /// Encrypts and decrypts upload URLs.
    type Sealer: Sealer;
    /// Throttling pauses that all transfers of the tenant share.
    type Budget: ThrottleBudget;
}

/// Adapters of the step `publish`.
pub trait PublishAdapters:
    Adapters<Store: UploadStore + PushStore + ExchangeKeyStore + ArtifactStore> + RegistryAdapters
{
    /// The exchange bucket.
    type Exchange: ExchangeStore;
    /// The delivery bucket.
    type Artifacts: Artifacts;
}

/// Adapters of the step `finalize`, which ends a transfer. The sweeper uses them as well.
pub trait FinishAdapters: SlotAdapters<Store: Store> {
    /// The recipient's drive.
    type Drive: Drive;
    /// The exchange bucket.
    type Exchange: ExchangeStore;
    /// The delivery bucket.
    type Artifacts: Artifacts;
    /// Decrypts upload URLs.
    type Sealer: Sealer;
}
