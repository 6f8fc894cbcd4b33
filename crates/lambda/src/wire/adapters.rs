//! Choice of the adapters that the use cases of `docferry_app` use in Lambda.
//!
//! A use case names the ports that it needs, such as a store and a clock. [`Production`] names the
//! adapter that implements each port.

use docferry_app::ports::Adapters;
#[cfg(feature = "workflow")]
use docferry_app::ports::SlotAdapters;

use crate::SystemClock;

/// Adapters of every use case that runs in Lambda. A use case is available only if the Cargo
/// features of all its adapters are enabled.
#[derive(Debug, Clone, Copy)]
pub enum Production {}

impl Adapters for Production {
    type Store = docferry_aws::DynamoTransferStore;
    type Clock = SystemClock;
}

#[cfg(feature = "workflow")]
impl SlotAdapters for Production {
    type Workflow = docferry_aws::StepFunctionsWorkflow;
}

impl docferry_app::ports::RegistryAdapters for Production {
    type Registry = docferry_aws::DynamoRegistry;
}

impl docferry_app::ports::AuditAdapters for Production {
    type Audit = docferry_aws::DynamoAuditLog;
}

#[cfg(feature = "workflow")]
impl docferry_app::ports::RetryAdapters for Production {}

#[cfg(feature = "workflow")]
impl docferry_app::ports::SearchAdapters for Production {}

#[cfg(all(feature = "workflow", feature = "graph"))]
impl docferry_app::ports::InitiateAdapters for Production {
    type Directory = crate::wire::graph::Graph;
}

#[cfg(feature = "delivery")]
impl docferry_app::ports::ReadAdapters for Production {
    type Presigner = docferry_aws::S3Artifacts;
}

#[cfg(all(feature = "ords", feature = "exchange"))]
impl docferry_app::ports::PushAdapters for Production {
    type Source = docferry_ords::OrdsSource<crate::wire::ords::OrdsSecret>;
    type Exchange = docferry_aws::S3ExchangeStore;
}

#[cfg(all(feature = "graph", feature = "exchange", feature = "sealer"))]
impl docferry_app::ports::UploadAdapters for Production {
    type Drive = crate::wire::graph::Graph;
    type Exchange = docferry_aws::S3ExchangeStore;
    type Sealer = docferry_aws::KmsSealer;
    type Budget = docferry_aws::DynamoThrottleBudget;
}

#[cfg(all(feature = "exchange", feature = "delivery"))]
impl docferry_app::ports::PublishAdapters for Production {
    type Exchange = docferry_aws::S3ExchangeStore;
    type Artifacts = docferry_aws::S3Artifacts;
}

#[cfg(all(
    feature = "workflow",
    feature = "graph",
    feature = "exchange",
    feature = "delivery",
    feature = "sealer"
))]
impl docferry_app::ports::FinishAdapters for Production {
    type Drive = crate::wire::graph::Graph;
    type Exchange = docferry_aws::S3ExchangeStore;
    type Artifacts = docferry_aws::S3Artifacts;
    type Sealer = docferry_aws::KmsSealer;
}
