//! Adapters of a use case: one trait per use case names the types behind its ports. An *adapter* is
//! a type that implements a port.
//!
//! A Lambda function implements the traits of its use cases for an empty enum. The function builds
//! the structs of ports ([`UploadPorts`](crate::delivery::upload::UploadPorts) and others) from its
//! clients. A use case is generic over that one type and cannot reach any other port. There is one
//! trait per use case, because each function has its own rights and only the clients that it needs.

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

/// Adapter of every use case that names, delivers or hands out documents.
pub trait RegistryAdapters: Debug + Send + Sync + 'static {
    /// The document registry, which says who may see a document.
    type Registry: Registry + Debug + 'static;
}

/// Adapter of the routes that disclose documents or their metadata, or deny them.
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

/// Adapters of the routes that search for documents, and start the downloads that the search
/// links to.
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

/// Adapters of the end of a transfer, by `finalize` or the sweeper.
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
