//! Adapters of a use case: one trait per use case names the types behind its ports.
//!
//! A function implements the traits of its use cases once, for a type without values, and builds
//! the ports structs ([`UploadPorts`](crate::delivery::upload::UploadPorts) and others) with its
//! clients. A use case is generic over that one type and cannot reach any other port. There is
//! one trait per use case, not one for all, because each function has its own rights and is built
//! with its own clients only.

use std::fmt::Debug;

use super::{
    ArtifactStore, Artifacts, BatchStore, Clock, DocumentSource, Drive, ExchangeKeyStore,
    ExchangeStore, PushStore, Sealer, SlotStore, Store, ThrottleBudget, TransferStore, UploadStore,
    Workflow,
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

/// Adapters of the step `push`.
pub trait PushAdapters:
    Adapters<Store: PushStore + ExchangeKeyStore + ArtifactStore + BatchStore>
{
    /// The document source.
    type Source: DocumentSource;
    /// The exchange bucket.
    type Exchange: ExchangeStore;
}

/// Adapters of the step `upload`.
pub trait UploadAdapters: Adapters<Store: UploadStore + PushStore + ExchangeKeyStore> {
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
    Adapters<Store: UploadStore + PushStore + ExchangeKeyStore + ArtifactStore>
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
