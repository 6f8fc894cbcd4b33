//! Tests of the client against a strict simulator of Graph, which was written from the contract
//! alone.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use bytes::Bytes;
use docferry_app::ports::{
    Cause, ConflictPolicy, CredentialsProvider, Destination, Drive as _, DriveError, DriveItem,
    FragmentResult, Freshness, UploadSession,
};
use docferry_domain::document::SourceHash;
use docferry_domain::upload::ExpectedRange;
use docferry_graph::{ClientCredentials, GraphDrive, GraphSettings};
use docferry_sim_graph::{Config, Running, start};
use futures::StreamExt as _;
use serde_json::{Value, json};
use support::{ManualClock, failing_after, range};

const PART: u64 = 327_680;
const NO_DRIVE: &str = "new@court.example";

struct Credentials;

impl CredentialsProvider<ClientCredentials> for Credentials {
    async fn credentials(&self, _: Freshness) -> Result<ClientCredentials, Cause> {
        let config = Config::default();
        Ok(ClientCredentials {
            client_id: config.client_id,
            client_secret: config.client_secret.into(),
        })
    }
}

struct Graph {
    running: Running,
    drive: GraphDrive<Credentials, ManualClock>,
}

impl Graph {
    async fn start() -> Self {
        let users = ["ada@court.example", "ben#EXT#@court.example", "$cas@court.example"];
        let config = Config { users: users.map(str::to_owned).into(), ..Config::default() };
        let settings = GraphSettings {
            graph_url: String::new(),
            authority_url: String::new(),
            ..GraphSettings::public_cloud(config.tenant.clone())
        };
        let running = start(config).await.unwrap();
        let base = running.url().to_owned();
        let settings = GraphSettings { graph_url: base.clone(), authority_url: base, ..settings };
        let drive = GraphDrive::new(&settings, Credentials, ManualClock::default()).unwrap();
        let graph = Self { running, drive };
        let new = format!("{}/users/{NO_DRIVE}?drive=false", graph.running.admin_url());
        reqwest::Client::new().put(new).send().await.unwrap().error_for_status().unwrap();
        graph
    }

    async fn inject_fault(&self, rule: Value) {
        let url = format!("{}/faults", self.running.admin_url());
        let sent = reqwest::Client::new().post(url).json(&rule).send().await.unwrap();
        sent.error_for_status().unwrap();
    }

    async fn session(&self, dest: &Destination, size: u64) -> UploadSession {
        self.drive.create_session(dest, size, ConflictPolicy::Replace).await.unwrap()
    }

    async fn put_range(
        &self,
        session: &UploadSession,
        start: u64,
        end: u64,
        total: u64,
    ) -> Result<FragmentResult, DriveError> {
        let fragment = document(total).slice(usize_of(start)..usize_of(end));
        let stream = futures::stream::iter([Ok(fragment)]).boxed();
        self.drive.put_fragment(&session.url, range(start, end, total), stream).await
    }

    async fn put_whole(
        &self,
        dest: &Destination,
        size: u64,
        policy: ConflictPolicy,
    ) -> Result<DriveItem, DriveError> {
        self.drive.put_whole(dest, document(size), policy).await
    }

    async fn next_offset(&self, session: &UploadSession) -> Option<u64> {
        self.drive.session_status(&session.url).await.unwrap().next.map(|gap| gap.start)
    }
}

fn usize_of(n: u64) -> usize {
    usize::try_from(n).unwrap()
}

fn document(size: u64) -> Bytes {
    (0..size).map(|i| u8::try_from(i % 251).unwrap()).collect()
}

fn destination(recipient: &str, folder: &str, name: &str) -> Destination {
    Destination { recipient: recipient.parse().unwrap(), ..support::destination(folder, name) }
}

fn assert_is_document(item: &DriveItem, size: u64) {
    let mut hash = SourceHash::default();
    assert!(hash.fold(0, &document(size)));
    assert_eq!(item.facts.size, size);
    assert_eq!(item.facts.quick_xor_hash, Some(hash.digest()));
    assert!(item.web_url.as_ref().is_some_and(|url| url.contains("/personal/")), "{item:?}");
}

#[tokio::test]
async fn documents_and_recipients_with_special_names_are_delivered() {
    let graph = Graph::start().await;
    let size = 2 * PART + 17;
    for (recipient, folder, name) in [
        ("ada@court.example", "", "plain.pdf"),
        ("ADA@court.example", "A/B & C", "l'été 50% #3 + 1.pdf"),
        ("ben#EXT#@court.example", "法廷/Строка", "emoji 😀 ~ (1).pdf"),
        ("$cas@court.example", "x=1;y", "a&b=c@d,e!$.pdf"),
    ] {
        let dest = destination(recipient, folder, name);
        assert_eq!(graph.drive.find(&dest).await.unwrap(), None, "{name}");
        let session = graph.session(&dest, size).await;
        assert!(session.url.expose().contains('\''), "the simulator's URLs contain a quote");
        assert!(session.expires_at.is_some());
        assert_eq!(graph.next_offset(&session).await, Some(0));
        let answer = graph.put_range(&session, 0, PART, size).await.unwrap();
        assert_eq!(answer, FragmentResult::Accepted { next: Some(ExpectedRange::open(PART)) });
        assert_eq!(graph.next_offset(&session).await, Some(PART));
        graph.put_range(&session, PART, 2 * PART, size).await.unwrap();
        let answer = graph.put_range(&session, 2 * PART, size, size).await.unwrap();
        let FragmentResult::Completed(item) = answer else { panic!("{answer:?}") };
        assert_is_document(&item, size);
        assert_eq!(graph.drive.find(&dest).await.unwrap(), Some(item), "{name}");
    }
}

#[tokio::test]
async fn small_and_empty_documents_are_put_whole_and_found() {
    let graph = Graph::start().await;
    for size in [0, 1, 4_000_000] {
        let dest = destination("ada@court.example", "l'été", &format!("small #{size}.txt"));
        let item = graph.put_whole(&dest, size, ConflictPolicy::Replace).await.unwrap();
        assert_is_document(&item, size);
        assert_eq!(graph.drive.find(&dest).await.unwrap(), Some(item));
        let repeated = graph.put_whole(&dest, size, ConflictPolicy::Fail).await;
        assert!(matches!(repeated, Err(DriveError::Conflict)), "{repeated:?}");
    }
}

#[tokio::test]
async fn missing_account_and_missing_drive_are_distinguished() {
    let graph = Graph::start().await;
    let unknown = destination("unknown@court.example", "", "a.pdf");
    let policy = ConflictPolicy::Replace;
    let answer = graph.drive.create_session(&unknown, 5, policy).await;
    assert!(matches!(answer, Err(DriveError::RecipientNotFound)), "{answer:?}");
    let new = destination(NO_DRIVE, "", "a.pdf");
    let answer = graph.drive.create_session(&new, 5, policy).await;
    assert!(matches!(answer, Err(DriveError::DriveNotProvisioned)), "{answer:?}");
    let answer = graph.drive.find(&new).await;
    assert!(matches!(answer, Err(DriveError::DriveNotProvisioned)), "{answer:?}");
    let answer = graph.put_whole(&new, 0, policy).await;
    assert!(matches!(answer, Err(DriveError::DriveNotProvisioned)), "{answer:?}");
}

#[tokio::test]
async fn misplaced_fragment_is_an_offset_mismatch() {
    let graph = Graph::start().await;
    let size = 3 * PART;
    let session = graph.session(&destination("ada@court.example", "", "a.pdf"), size).await;
    graph.put_range(&session, 0, PART, size).await.unwrap();
    for start in [0, 2 * PART] {
        let answer = graph.put_range(&session, start, start + PART, size).await;
        assert!(matches!(answer, Err(DriveError::OffsetMismatch)), "{answer:?}");
    }
    assert_eq!(graph.next_offset(&session).await, Some(PART));
}

#[tokio::test]
async fn ambiguous_fragment_is_resumed_from_the_session_offset() {
    let graph = Graph::start().await;
    let size = 3 * PART;
    let dest = destination("ada@court.example", "", "a.pdf");
    let session = graph.session(&dest, size).await;
    graph.inject_fault(json!({"operation": "fragment", "dropResponse": true})).await;
    let answer = graph.put_range(&session, 0, PART, size).await;
    assert!(matches!(answer, Err(DriveError::Ambiguous(_))), "{answer:?}");
    assert_eq!(graph.next_offset(&session).await, Some(PART));

    let half = json!({"operation": "fragment", "status": 500, "storeFraction": 0.5});
    graph.inject_fault(half).await;
    let answer = graph.put_range(&session, PART, 2 * PART, size).await;
    assert!(matches!(answer, Err(DriveError::Ambiguous(_))), "{answer:?}");
    assert_eq!(graph.next_offset(&session).await, Some(PART + PART / 2));

    // The offset is not a multiple of 320 KiB. Only the length of a fragment has to be.
    let from = 2 * PART + PART / 2;
    let answer = graph.put_range(&session, PART + PART / 2, from, size).await.unwrap();
    assert_eq!(answer, FragmentResult::Accepted { next: Some(ExpectedRange::open(from)) });
    graph.inject_fault(json!({"operation": "lastFragment", "dropResponse": true})).await;
    let answer = graph.put_range(&session, from, size, size).await;
    assert!(matches!(answer, Err(DriveError::Ambiguous(_))), "{answer:?}");
    let status = graph.drive.session_status(&session.url).await;
    assert!(matches!(status, Err(DriveError::SessionGone)), "{status:?}");
    assert_is_document(&graph.drive.find(&dest).await.unwrap().unwrap(), size);
}

#[tokio::test]
async fn failing_source_leaves_the_session_offset_unchanged() {
    let graph = Graph::start().await;
    let session = graph.session(&destination("ada@court.example", "", "a.pdf"), 2 * PART).await;
    let stream = failing_after(100_000);
    let answer = graph.drive.put_fragment(&session.url, range(0, PART, 2 * PART), stream).await;
    assert!(matches!(answer, Err(DriveError::Body)), "{answer:?}");
    assert_eq!(graph.next_offset(&session).await, Some(0));
    graph.put_range(&session, 0, PART, 2 * PART).await.unwrap();
}

#[tokio::test]
async fn throttling_returns_retry_after_if_present() {
    let graph = Graph::start().await;
    let session = graph.session(&destination("ada@court.example", "", "a.pdf"), PART).await;
    for (status, header, expected) in [
        (429, json!(322), Some(Duration::from_secs(322))),
        (503, json!(0), Some(Duration::ZERO)),
        (509, Value::Null, None),
    ] {
        let mut rule = json!({"operation": "fragment", "status": status});
        if !header.is_null() {
            rule["retryAfter"] = header;
        }
        graph.inject_fault(rule).await;
        let answer = graph.put_range(&session, 0, PART, PART).await;
        let Err(DriveError::Throttled { retry_after }) = answer else { panic!("{answer:?}") };
        assert_eq!(retry_after, expected, "{status}");
    }
    graph.put_range(&session, 0, PART, PART).await.unwrap();
}

#[tokio::test]
async fn permanent_fragment_errors_have_specific_texts() {
    let graph = Graph::start().await;
    let dest = destination("ada@court.example", "", "a.pdf");
    let session = graph.session(&dest, 2 * PART).await;
    for (status, expected) in [
        (507, "the drive is full"),
        (423, "the file is locked"),
        (409, "the item at the path is in the way"),
        (412, "the item at the path is in the way"),
        (403, "the upload session is gone"),
    ] {
        graph.inject_fault(json!({"operation": "fragment", "status": status})).await;
        let error = graph.put_range(&session, 0, PART, 2 * PART).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    // Neither a multiple of 320 KiB nor the last fragment.
    let answer = graph.put_range(&session, 0, PART - 1, 2 * PART).await;
    assert!(matches!(answer, Err(DriveError::Refused { .. })), "{answer:?}");
}

#[tokio::test]
async fn success_without_an_item_is_ambiguous_and_ranges_are_optional() {
    let graph = Graph::start().await;
    let dest = destination("ada@court.example", "", "a.pdf");
    let session = graph.session(&dest, 2 * PART).await;
    graph.inject_fault(json!({"operation": "fragment", "emptyRanges": true})).await;
    let answer = graph.put_range(&session, 0, PART, 2 * PART).await.unwrap();
    assert_eq!(answer, FragmentResult::Accepted { next: None });
    graph.inject_fault(json!({"operation": "lastFragment", "noItem": true})).await;
    let answer = graph.put_range(&session, PART, 2 * PART, 2 * PART).await;
    assert!(matches!(answer, Err(DriveError::Ambiguous(_))), "{answer:?}");
    assert_is_document(&graph.drive.find(&dest).await.unwrap().unwrap(), 2 * PART);
}

#[tokio::test]
async fn deleted_session_is_gone_and_can_be_deleted_again() {
    let graph = Graph::start().await;
    let session = graph.session(&destination("ada@court.example", "", "a.pdf"), PART).await;
    graph.drive.delete_session(&session.url).await.unwrap();
    graph.drive.delete_session(&session.url).await.unwrap();
    let answer = graph.put_range(&session, 0, PART, PART).await;
    assert!(matches!(answer, Err(DriveError::SessionGone)), "{answer:?}");
}

#[tokio::test]
async fn conflict_policy_applies_to_an_existing_file() {
    let graph = Graph::start().await;
    let dest = destination("ada@court.example", "f", "a.pdf");
    graph.put_whole(&dest, 0, ConflictPolicy::Replace).await.unwrap();
    let rejected = graph.drive.create_session(&dest, PART, ConflictPolicy::Fail).await;
    assert!(matches!(rejected, Err(DriveError::Conflict)), "{rejected:?}");
    let renamed = graph.drive.create_session(&dest, PART, ConflictPolicy::Rename).await.unwrap();
    graph.put_range(&renamed, 0, PART, PART).await.unwrap();
    assert_is_document(&graph.drive.find(&dest).await.unwrap().unwrap(), 0);
    let replaced = graph.session(&dest, PART).await;
    graph.put_range(&replaced, 0, PART, PART).await.unwrap();
    assert_is_document(&graph.drive.find(&dest).await.unwrap().unwrap(), PART);
}

#[tokio::test]
async fn token_rejected_by_graph_is_renewed() {
    let graph = Graph::start().await;
    let dest = destination("ada@court.example", "", "a.pdf");
    graph.drive.find(&dest).await.unwrap();
    graph.inject_fault(json!({"operation": "getItem", "status": 401})).await;
    assert_eq!(graph.drive.find(&dest).await.unwrap(), None);
}
