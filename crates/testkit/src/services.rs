//! Implementation of small ports by the [`World`]: the clock, the encryption of upload URLs, the
//! queues, the throttle budget, the document registry and the service that runs executions.

use std::collections::BTreeMap;

use docferry_app::ports::{
    AuditLog, AuditQueue, Clock, Execution, GrantResult, Pause, QueueError, Registry,
    RegistryDeadLetters, RegistryPage, RegistryRange, RegistryWriter, RejectedRecord, SealError,
    Sealer, Start, StoreError, ThrottleBudget, UploadUrl, UpsertResult, WebhookQueue, Workflow,
    WorkflowError,
};
use docferry_domain::audit::{AuditEvent, AuditRecord, Denial};
use docferry_domain::document::{Coverage, DocumentKey, DocumentRecord, Grant, Subject};
use docferry_domain::ids::TransferId;
use docferry_domain::job::WebhookNotification;
use docferry_domain::person::Person;
use jiff::Timestamp;

use crate::World;

impl Clock for World {
    fn now(&self) -> Timestamp {
        self.state().now
    }
}

impl Sealer for World {
    async fn seal(&self, transfer: &TransferId, url: &UploadUrl) -> Result<Vec<u8>, SealError> {
        self.effect("seal", SealError::Unavailable, async || {
            Ok(format!("{transfer} {}", url.expose()).into_bytes())
        })
        .await
    }

    async fn open(&self, transfer: &TransferId, sealed: &[u8]) -> Result<UploadUrl, SealError> {
        self.effect("open", SealError::Unavailable, async || {
            let text = String::from_utf8_lossy(sealed).into_owned();
            let url = text.strip_prefix(&format!("{transfer} ")).ok_or(SealError::Unreadable)?;
            Ok(UploadUrl::new(url))
        })
        .await
    }
}

impl AuditQueue for World {
    async fn send(&self, record: &AuditRecord) -> Result<(), QueueError> {
        self.effect("send", QueueError, async || {
            match record.clone() {
                AuditRecord::Outcome(outcome) => self.state().sent_outcomes.push(*outcome),
                AuditRecord::Event(event) => self.state().sent_events.push(*event),
            }
            Ok(())
        })
        .await
    }
}

impl AuditLog for World {
    async fn record(&self, events: &[AuditEvent]) -> Result<(), StoreError> {
        self.audit().record(events).await
    }

    async fn count_denial(&self, denial: &Denial) -> Result<(), StoreError> {
        self.audit().count_denial(denial).await
    }
}

impl WebhookQueue for World {
    async fn queue_notification(
        &self,
        notification: &WebhookNotification,
    ) -> Result<(), QueueError> {
        self.effect("queue_notification", QueueError, async || {
            self.state().notifications.push(notification.clone());
            Ok(())
        })
        .await
    }
}

/// Returns the name of the Step Functions execution with this number.
fn execution_name(transfer: &TransferId, execution_number: u32) -> String {
    format!("{transfer}-{execution_number}")
}

impl Workflow for World {
    async fn start(
        &self,
        transfer: &TransferId,
        execution_number: u32,
    ) -> Result<Start, WorkflowError> {
        self.effect("start", WorkflowError, async || {
            let mut state = self.state();
            let name = execution_name(transfer, execution_number);
            if state.closed.contains(&name) {
                return Ok(Start::Closed);
            }
            state.running.insert(name);
            Ok(Start::Running)
        })
        .await
    }

    async fn execution_status(
        &self,
        transfer: &TransferId,
        execution_number: u32,
    ) -> Result<Execution, WorkflowError> {
        self.effect("execution_status", WorkflowError, async || {
            let state = self.state();
            let name = execution_name(transfer, execution_number);
            Ok(if state.closed.contains(&name) {
                Execution::Closed
            } else if state.running.contains(&name) {
                Execution::Running
            } else {
                Execution::Missing
            })
        })
        .await
    }
}

impl ThrottleBudget for World {
    async fn paused(&self) -> Result<Option<Pause>, StoreError> {
        self.effect("paused", StoreError::Unavailable, async || self.budget.paused().await).await
    }

    async fn pause(&self, pause: Pause) -> Result<(), StoreError> {
        self.effect("pause_all", StoreError::Unavailable, async || self.budget.pause(pause).await)
            .await
    }
}

impl Registry for World {
    async fn documents(
        &self,
        keys: &[DocumentKey],
    ) -> Result<BTreeMap<DocumentKey, DocumentRecord>, StoreError> {
        self.registry().documents(keys).await
    }

    async fn page(
        &self,
        subject: &Subject,
        range: &RegistryRange,
    ) -> Result<RegistryPage, StoreError> {
        self.registry().page(subject, range).await
    }

    async fn grants(&self, person: &Person) -> Result<Vec<Grant>, StoreError> {
        self.registry().grants(person).await
    }
}

impl RegistryWriter for World {
    async fn upsert(&self, record: &DocumentRecord) -> Result<UpsertResult, StoreError> {
        self.effect("upsert", StoreError::Unavailable, async || {
            self.registry().upsert(record).await
        })
        .await
    }

    async fn withdraw(
        &self,
        key: &DocumentKey,
        at: Timestamp,
    ) -> Result<Option<DocumentRecord>, StoreError> {
        self.registry().withdraw(key, at).await
    }

    async fn grant(&self, person: &Person, grant: &Grant) -> Result<GrantResult, StoreError> {
        self.registry().grant(person, grant).await
    }

    async fn revoke(&self, person: &Person, coverage: &Coverage) -> Result<bool, StoreError> {
        self.registry().revoke(person, coverage).await
    }
}

impl RegistryDeadLetters for World {
    async fn add_rejected(&self, rejected: &RejectedRecord) -> Result<(), QueueError> {
        self.effect("add_rejected", QueueError, async || {
            self.state().rejected_records.push(rejected.clone());
            Ok(())
        })
        .await
    }
}
