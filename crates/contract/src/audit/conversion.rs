//! Conversion of the records of the audit trail to messages.

use docferry_domain::audit::{AuditAction, AuditEvent, AuditRecord, RequestOrigin, RequestSource};
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{AuditDestination, DeliveredFile, OutcomeRecord};

use super::message::{
    AuditMessage, AuditOutcome, AuditRecipient, AuditSource, AuditedDestination, AuditedFile,
};

impl From<&AuditRecord> for AuditMessage {
    fn from(record: &AuditRecord) -> Self {
        match record {
            AuditRecord::Outcome(record) => of_outcome(record),
            AuditRecord::Event(event) => of_event(event),
        }
    }
}

fn of_outcome(record: &OutcomeRecord) -> AuditMessage {
    let (recipient, destination) = match &record.destination {
        None => (None, None),
        Some(AuditDestination::Onedrive { recipient, recipient_id, folder }) => (
            Some(AuditRecipient {
                user_id: recipient_id.clone(),
                address: recipient.as_str().to_owned(),
            }),
            Some(AuditedDestination::Onedrive { folder: folder.clone() }),
        ),
        Some(AuditDestination::Download { object }) => {
            let object_key_hashes = object.iter().cloned().collect();
            (None, Some(AuditedDestination::Download { object_key_hashes }))
        }
    };
    let origin = record.audit.origin.as_ref();
    let on_behalf_of = record.on_behalf_of.as_ref().map(|person| person.as_str().to_owned());
    AuditMessage {
        message_id: record.message_id(),
        action: record.pool.into(),
        outcome: AuditOutcome::of(record.outcome),
        failure: record.failure,
        actor: record.actor.clone(),
        on_behalf_of: end_user(origin).or(on_behalf_of),
        recipient,
        subject: record.audit.subject.clone(),
        court_file: record.case.court_file.clone(),
        class: record.case.class,
        files: record.files.iter().map(AuditedFile::from).collect(),
        source: origin.map(|origin| AuditSource::from(&origin.source)),
        destination,
        timestamp: record.ended_at,
        correlation_id: record.transfer_id.to_string(),
        job_id: Some(record.transfer_id.batch_str().to_owned()),
        count: None,
        requested: Vec::new(),
    }
}

fn of_event(event: &AuditEvent) -> AuditMessage {
    let outcome = match event.action {
        AuditAction::AccessDenied => AuditOutcome::Denied,
        _ => AuditOutcome::Completed,
    };
    let job_id = event.job_id.as_ref().map(ToString::to_string);
    let request_id = event.origin.as_ref().map(|origin| origin.source.request_id.clone());
    let objects = event.objects.clone();
    AuditMessage {
        message_id: event.id.clone(),
        action: event.action,
        outcome,
        failure: None,
        actor: event.actor.clone(),
        on_behalf_of: end_user(event.origin.as_ref()),
        recipient: None,
        subject: event.subject.clone(),
        court_file: None,
        class: None,
        files: event.files.iter().map(AuditedFile::from).collect(),
        source: event.origin.as_ref().map(|origin| AuditSource::from(&origin.source)),
        destination: (!objects.is_empty())
            .then_some(AuditedDestination::Download { object_key_hashes: objects }),
        timestamp: event.at,
        correlation_id: job_id.clone().or(request_id).unwrap_or_else(|| event.id.clone()),
        job_id,
        count: event.count,
        requested: event.requested.clone(),
    }
}

fn end_user(origin: Option<&RequestOrigin>) -> Option<String> {
    Some(origin?.on_behalf_of.as_ref()?.as_str().to_owned())
}

impl AuditOutcome {
    const fn of(phase: Phase) -> Self {
        match phase {
            Phase::Completed => Self::Completed,
            Phase::Canceled => Self::Canceled,
            _ => Self::Failed,
        }
    }
}

impl From<&DeliveredFile> for AuditedFile {
    fn from(file: &DeliveredFile) -> Self {
        Self {
            id: file.id.clone(),
            file_name: file.file_name.clone(),
            content_type: file.content_type.clone(),
        }
    }
}

impl From<&RequestSource> for AuditSource {
    fn from(source: &RequestSource) -> Self {
        Self {
            ip: source.ip,
            user_agent: source.user_agent.clone(),
            request_id: source.request_id.clone(),
            gateway_request_id: source.gateway_request_id.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use docferry_domain::audit::AuditContext;
    use docferry_domain::document::{CaseClass, CaseReference, Subject, SubjectPatterns};
    use docferry_domain::failure::FailureCode;
    use docferry_domain::ids::TransferId;
    use docferry_domain::person::Person;
    use docferry_domain::slots::Pool;
    use jiff::Timestamp;
    use serde_json::json;

    fn subject() -> Subject {
        SubjectPatterns::default().read(None, "T-1234/26").unwrap()
    }

    fn origin(on_behalf_of: Option<&str>) -> RequestOrigin {
        RequestOrigin {
            on_behalf_of: on_behalf_of.map(|name| name.parse().unwrap()),
            source: RequestSource::new(
                "192.0.2.7".parse().ok(),
                Some("browser"),
                "request-1".to_owned(),
            ),
        }
    }

    fn file() -> DeliveredFile {
        DeliveredFile { id: "AAAA".into(), file_name: "order.pdf".into(), content_type: None }
    }

    fn outcome() -> OutcomeRecord {
        OutcomeRecord {
            transfer_id: TransferId::from_u128(1),
            execution_number: 2,
            actor: "scv".into(),
            pool: Pool::Onedrive,
            ended_at: Timestamp::UNIX_EPOCH,
            outcome: Phase::Completed,
            failure: None,
            files: vec![file()],
            on_behalf_of: Some(Person::new("ada")),
            audit: AuditContext { origin: Some(origin(Some("Judge A"))), subject: Some(subject()) },
            case: CaseReference {
                court_file: "C-7".parse().ok(),
                class: Some(CaseClass::Criminal),
            },
            destination: Some(AuditDestination::Onedrive {
                recipient: "a@b.example".parse().unwrap(),
                recipient_id: Some("user-1".into()),
                folder: Some("Court".into()),
            }),
        }
    }

    #[test]
    fn delivery_message_has_the_fields_of_the_contract() {
        let message = AuditMessage::from(&outcome().into());
        let expected = json!({
            "messageId": "00000000000000000000000000000001/2",
            "action": "Delivered to OneDrive",
            "outcome": "completed",
            "actor": "scv",
            "onBehalfOf": "Judge A",
            "recipient": { "userId": "user-1", "address": "a@b.example" },
            "subject": { "system": "urn:docferry:court-file", "value": "T-1234/26" },
            "courtFile": "C-7",
            "class": "criminal",
            "files": [{ "id": "AAAA", "fileName": "order.pdf", "contentType": null }],
            "source": { "ip": "192.0.2.7", "userAgent": "browser", "requestId": "request-1" },
            "destination": { "folder": "Court" },
            "timestamp": "1970-01-01T00:00:00Z",
            "correlationId": "00000000000000000000000000000001",
            "jobId": "00000000000000000000000000000001",
        });
        assert_eq!(serde_json::to_value(&message).unwrap(), expected);
        assert_eq!(serde_json::from_value::<AuditMessage>(expected).unwrap(), message);
    }

    #[test]
    fn person_of_the_body_counts_where_no_header_names_one() {
        let mut record = outcome();
        record.audit.origin = Some(origin(None));
        let message = AuditMessage::from(&record.into());
        assert_eq!(message.on_behalf_of.as_deref(), Some("ada"));
    }

    #[test]
    fn message_of_an_older_record_has_empty_fields() {
        let old = json!({
            "transferId": "00000000000000000000000000000001", "attempt": 1, "actor": "scv",
            "endedAt": "1970-01-01T00:00:00Z", "outcome": "failed", "failure": "DRIVE_FULL",
        });
        let mut old = old;
        old["failure"] = serde_json::to_value(FailureCode::QuotaExceeded).unwrap();
        let record: OutcomeRecord = serde_json::from_value(old).unwrap();
        let message = AuditMessage::from(&record.into());
        assert_eq!(
            (message.outcome, message.action),
            (AuditOutcome::Failed, AuditAction::DeliveredToOnedrive)
        );
        assert!(
            message.source.is_none() && message.recipient.is_none() && message.files.is_empty()
        );
    }

    #[test]
    fn event_message_has_the_fields_of_its_action() {
        let url = AuditEvent {
            origin: Some(origin(None)),
            files: vec![file()],
            objects: vec!["hash".into()],
            job_id: Some(TransferId::from_u128(7)),
            ..AuditEvent::new(
                "e/0".into(),
                AuditAction::UrlIssued,
                "sub:ada".into(),
                Timestamp::UNIX_EPOCH,
            )
        };
        let message = serde_json::to_value(AuditMessage::from(&url.into())).unwrap();
        assert_eq!(message["action"], "URL issued");
        assert_eq!(message["destination"], json!({ "objectKeyHashes": ["hash"] }));
        assert_eq!(message["jobId"], message["correlationId"]);

        let denied = AuditEvent {
            origin: Some(origin(None)),
            count: Some(3),
            requested: vec!["fileId=10042".into()],
            ..AuditEvent::new(
                "denied/1/sub:ada".into(),
                AuditAction::AccessDenied,
                "sub:ada".into(),
                Timestamp::UNIX_EPOCH,
            )
        };
        let message = serde_json::to_value(AuditMessage::from(&denied.into())).unwrap();
        assert_eq!((&message["outcome"], &message["count"]), (&json!("denied"), &json!(3)));
        assert_eq!(message["correlationId"], "request-1");
    }

    #[test]
    fn debug_output_names_no_person_and_no_document() {
        let shown = format!("{:?}", AuditMessage::from(&outcome().into()));
        assert_eq!(
            shown,
            "AuditMessage(00000000000000000000000000000001/2, Delivered to OneDrive)"
        );
    }
}
