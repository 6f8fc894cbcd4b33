//! Matrix of entitlements through the deployed API: every route that names a document or a job, for
//! every reason why a person may or may not see the document. A hidden document must equal an
//! unknown one in status, headers and body.

use std::collections::BTreeMap;

use docferry_app::ports::RegistryWriter as _;
use docferry_domain::document::{Coverage, Grant, SubjectPatterns};
use docferry_domain::person::Person;
use docferry_system_tests::{
    Api, ApiResponse, Identity, SHORT_TIMEOUT, Sandbox, eventually, random_file_id,
    subject_document,
};
use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde_json::json;

/// Scopes without which no route can be called. They show no document.
const SCOPES: &str = "docferry.read docferry.write";
/// Scopes of a caller with the role that shows all documents.
const ROLE: &str = "docferry.read docferry.write docferry.documents";

/// Reason why a person may see the documents of a subject, or may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Role,
    Claim,
    Grant,
    ExpiredGrant,
    /// A claim and a grant for another subject.
    Foreign,
    Nothing,
}

use Reason::{Claim, ExpiredGrant, Foreign, Nothing, Role};

impl Reason {
    const ALL: [Self; 6] = [Role, Claim, Self::Grant, ExpiredGrant, Foreign, Nothing];

    fn is_entitled(self) -> bool {
        matches!(self, Role | Claim | Self::Grant)
    }
}

/// Documents and jobs that a series of calls names.
#[derive(Debug, Clone)]
struct Names {
    file_id: u64,
    document: String,
    subject: String,
    /// A job that has delivered the document.
    done_job: String,
    /// A job that failed, so it can be retried.
    failed_job: String,
}

impl Names {
    /// Returns names of the same lengths that do not exist.
    fn unknown(&self) -> Self {
        let file_id = self.file_id ^ 1;
        let job = || format!("{:032x}", fastrand::u128(..));
        let (document, subject) = (format!("file-{file_id}"), format!("S-{file_id}"));
        Self { file_id, document, subject, done_job: job(), failed_job: job() }
    }

    /// Returns a text in which placeholders replace these names.
    fn hide_in(&self, text: &str) -> String {
        let file_id = self.file_id.to_string();
        [&self.done_job, &self.failed_job, &file_id]
            .iter()
            .fold(text.to_owned(), |text, name| text.replace(name.as_str(), "NAME"))
    }
}

/// Result that a route has for a document or job that the caller may see.
#[derive(Debug, Clone, Copy)]
struct Route {
    name: &'static str,
    visible: StatusCode,
    hidden: StatusCode,
}

const fn route(name: &'static str, visible: StatusCode, hidden: StatusCode) -> Route {
    Route { name, visible, hidden }
}

/// All routes, in an order in which no call changes the result of a later one.
const ROUTES: [Route; 11] = [
    route("check", StatusCode::OK, StatusCode::OK),
    route("search", StatusCode::OK, StatusCode::OK),
    route("search by id", StatusCode::OK, StatusCode::OK),
    route("_search", StatusCode::OK, StatusCode::OK),
    route("read", StatusCode::OK, StatusCode::NOT_FOUND),
    route("$content", StatusCode::ACCEPTED, StatusCode::NOT_FOUND),
    route("status", StatusCode::OK, StatusCode::NOT_FOUND),
    route("fetch", StatusCode::FOUND, StatusCode::NOT_FOUND),
    route("subscribe", StatusCode::OK, StatusCode::NOT_FOUND),
    route("initiate", StatusCode::ACCEPTED, StatusCode::BAD_REQUEST),
    route("retry", StatusCode::ACCEPTED, StatusCode::NOT_FOUND),
];

/// Routes that report the caller's own job also when its document is hidden, but without a URL.
const REPORTS_OWN_JOB: [&str; 2] = ["status", "subscribe"];

/// Calls a route.
async fn call(api: &Api, route: &str, names: &Names) -> ApiResponse {
    let Names { file_id, document, subject, done_job, failed_job } = names;
    let file = json!({ "file_id": file_id });
    let by_subject = format!("subject.identifier={subject}");
    let content = format!("/DocumentReference/{document}/$content");
    match route {
        "check" => api.post_json("/v1/download/check", Some(&file)).await,
        "initiate" => api.post_json("/v1/download/initiate", Some(&file)).await,
        "search" => api.get(&format!("/DocumentReference?{by_subject}")).await,
        "search by id" => api.get(&format!("/DocumentReference?_id={document}")).await,
        "_search" => api.post_form("/DocumentReference/_search", &by_subject).await,
        "read" => api.get(&format!("/DocumentReference/{document}")).await,
        "$content" => api.get(&content).await,
        "status" => api.get(&format!("/v1/download/status/{done_job}")).await,
        "fetch" => api.get(&format!("/v1/download/{done_job}")).await,
        "subscribe" => api.events(done_job, None).await,
        _ => {
            let path = format!("/v1/download/retry/{failed_job}");
            eventually("the earlier run is cleaned up", SHORT_TIMEOUT, async || {
                let response = api.request_unthrottled(Method::POST, &path, None).await;
                (response.json()["code"] != "NOT_SETTLED").then_some(response)
            })
            .await
        }
    }
}

/// Headers that differ between two equal requests.
const VARYING_HEADERS: [&str; 5] =
    ["date", "x-request-id", "ratelimit-remaining", "ratelimit-reset", "server"];

/// A response without what differs between two equal requests for different documents.
#[derive(Debug, PartialEq, Eq)]
struct Comparable {
    status: StatusCode,
    headers: BTreeMap<String, String>,
    body: String,
}

fn comparable(response: &ApiResponse, names: &Names) -> Comparable {
    let text = |value: &reqwest::header::HeaderValue| value.to_str().unwrap().to_owned();
    let request_id = text(&response.headers["x-request-id"]);
    let headers = response.headers.iter().map(|(name, value)| (name.to_string(), text(value)));
    let is_fixed = |(name, _): &(String, String)| {
        !VARYING_HEADERS.contains(&name.as_str()) && !name.starts_with("x-am")
    };
    let body = names.hide_in(&response.text.replace(&request_id, "REQUEST"));
    Comparable { status: response.status, headers: headers.filter(is_fixed).collect(), body }
}

/// Whether a response shows the document: it contains its id, a presigned URL or the address of a job,
/// or says that it is available.
fn shows_document(response: &ApiResponse, names: &Names) -> bool {
    let body = response.json();
    let ids: Vec<_> = body["entry"].as_array().into_iter().flatten().collect();
    let is_listed = ids.iter().any(|entry| entry["resource"]["id"] == names.document.as_str());
    is_listed
        || body["id"] == names.document.as_str()
        || body["available"] == true
        || response.text.contains("X-Amz-Signature")
        || response.headers.contains_key("location")
}

/// Creates the documents: one that can be delivered, and one of the same subject whose delivery
/// fails, because the source does not have it. Returns the number of each.
async fn create_documents(sandbox: &Sandbox) -> (u64, u64) {
    let (file_id, _) = sandbox.indexed_document(1000, &[]).await;
    let subject = format!("S-{file_id}");
    let missing = subject_document(&subject, &format!("{subject}-missing"), 0);
    let missing_file_id = serde_json::to_value(missing.file_id).unwrap().as_u64().unwrap();
    sandbox.cloud.register([missing]).await;
    (file_id, missing_file_id)
}

/// A person, and the jobs that the person has created while the documents were visible.
struct Case {
    reason: Reason,
    api: Api,
    names: Names,
}

/// Lets a person create both jobs, and then see the documents for this reason only.
async fn case(sandbox: &Sandbox, reason: Reason, (file_id, missing): (u64, u64)) -> Case {
    let identity = Identity::new(&sandbox.stack);
    let name = format!("{}-{reason:?}", sandbox.tag);
    let api = sandbox.api.without_redirects().with_token(&identity.token_of(&name, ROLE).await);
    let done_job = api.create_job(&json!({ "file_id": file_id })).await;
    let failed_job = api.create_job(&json!({ "file_id": missing })).await;
    for (job, status) in [(&done_job, "completed"), (&failed_job, "failed")] {
        assert_eq!(api.wait_for_job_end(job).await["status"], status);
    }

    let (subject, other) = (format!("S-{file_id}"), format!("S-{}", random_file_id()));
    let patterns = SubjectPatterns::default();
    let coverage = |value: &str| Coverage::Subject(patterns.read_text(value).unwrap());
    let past: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let grant = match reason {
        Reason::Grant => Some(Grant { coverage: coverage(&subject), expires_at: None }),
        ExpiredGrant => Some(Grant { coverage: coverage(&subject), expires_at: Some(past) }),
        Foreign => Some(Grant { coverage: coverage(&other), expires_at: None }),
        Role | Claim | Nothing => None,
    };
    if let Some(grant) = grant {
        sandbox.cloud.registry().grant(&Person::new(&name), &grant).await.unwrap();
    }
    let scope = if reason == Role { ROLE } else { SCOPES };
    let subjects = match reason {
        Claim => vec![&subject],
        Foreign => vec![&other],
        _ => vec![],
    };
    let claims = json!({ "sub": name, "scope": scope, "docferry_subjects": subjects });
    let api = api.with_token(&identity.mint(&json!({ "claims": claims })).await);
    let document = format!("file-{file_id}");
    Case { reason, api, names: Names { file_id, document, subject, done_job, failed_job } }
}

impl Case {
    /// Calls all routes with the names of the document, and with unknown names.
    async fn check(&self) {
        let Self { reason, api, names } = self;
        let unknown = names.unknown();
        for Route { name, visible, hidden } in ROUTES {
            let response = call(api, name, names).await;
            let context = format!("{name}, {reason:?}: {} {}", response.status, response.text);
            assert_eq!(shows_document(&response, names), reason.is_entitled(), "{context}");
            let absent = call(api, name, &unknown).await;
            assert_eq!(absent.status, hidden, "{context}");
            assert!(!shows_document(&absent, &unknown), "{context}");
            if reason.is_entitled() {
                assert_eq!(response.status, visible, "{context}");
            } else if REPORTS_OWN_JOB.contains(&name) {
                assert_eq!(response.status, visible, "{context}");
                assert!(!response.text.contains("http"), "{context}");
            } else {
                let (response, absent) =
                    (comparable(&response, names), comparable(&absent, &unknown));
                assert_eq!(response, absent, "{name}, {reason:?}");
            }
        }
    }
}

#[tokio::test]
async fn hidden_document_equals_an_unknown_one_on_every_route() {
    let sandbox = Sandbox::new().await;
    let documents = create_documents(&sandbox).await;
    let cases = Reason::ALL.map(|reason| case(&sandbox, reason, documents));
    let cases = futures::future::join_all(cases).await;
    futures::future::join_all(cases.iter().map(Case::check)).await;

    // Jobs of another person do not exist, whatever the caller may see.
    let (first, second) = (&cases[0], &cases[1]);
    for name in ["status", "fetch", "subscribe", "retry"] {
        let foreign = comparable(&call(&first.api, name, &second.names).await, &second.names);
        let unknown = second.names.unknown();
        let absent = comparable(&call(&first.api, name, &unknown).await, &unknown);
        assert_eq!(foreign, absent, "{name}");
    }
}
