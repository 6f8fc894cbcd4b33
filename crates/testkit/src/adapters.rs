//! Declarations that the [`World`] is the implementation of every port that a use case needs.

use docferry_app::ports::{
    Adapters, AuditAdapters, FinishAdapters, InitiateAdapters, PublishAdapters, PushAdapters,
    ReadAdapters, RegistryAdapters, RetryAdapters, SearchAdapters, SlotAdapters, UploadAdapters,
};

use crate::World;

impl Adapters for World {
    type Store = Self;
    type Clock = Self;
}

impl SlotAdapters for World {
    type Workflow = Self;
}

impl RegistryAdapters for World {
    type Registry = Self;
}

impl AuditAdapters for World {
    type Audit = Self;
}

impl RetryAdapters for World {}

impl SearchAdapters for World {}

impl InitiateAdapters for World {
    type Directory = Self;
}

impl ReadAdapters for World {
    type Presigner = Self;
}

impl PushAdapters for World {
    type Source = Self;
    type Exchange = Self;
}

impl UploadAdapters for World {
    type Drive = Self;
    type Exchange = Self;
    type Sealer = Self;
    type Budget = Self;
}

impl PublishAdapters for World {
    type Exchange = Self;
    type Artifacts = Self;
}

impl FinishAdapters for World {
    type Drive = Self;
    type Exchange = Self;
    type Artifacts = Self;
    type Sealer = Self;
}
