//! Clients of the admin interfaces of the simulators: the document source (ORDS) and Microsoft
//! Graph. Tests use them to create documents and users, to inject faults, and to read what the
//! simulators have received. The mover of the document source is a simulated program that copies
//! pushed documents to the exchange bucket.
//!
//! A fault rule tells a simulator to fail certain requests. The subject of a request is the
//! document, address or path that the request is about; a rule's `match` is a part of it.

use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Client of a simulator's admin interface.
#[derive(Debug, Clone)]
pub struct Simulator {
    http: reqwest::Client,
    admin: String,
}

/// A request that a simulator has handled.
#[derive(Debug, Clone, Deserialize)]
pub struct Request {
    /// Name of the operation.
    pub operation: String,
    /// Document, address or path that the request was about.
    pub subject: String,
    /// HTTP status of the response; `None` if the connection was closed without one.
    pub status: Option<u16>,
    /// Size of the request body in bytes.
    pub bytes: u64,
    /// Time at which the request ended.
    pub at: jiff::Timestamp,
    /// `traceparent` header of the request.
    pub traceparent: Option<String>,
}

impl Simulator {
    pub(crate) fn new(admin: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { http, admin: admin.to_owned() }
    }

    /// Sends a request to the admin interface, which must succeed. Returns the response body.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Vec<u8>,
    ) -> String {
        let url = format!("{}{path}", self.admin);
        let request = self.http.request(method, url).query(query).body(body);
        let response = request.send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
        text
    }

    /// Returns a JSON list of the admin interface.
    async fn list<T: DeserializeOwned>(&self, path: &str) -> Vec<T> {
        let text = self.call(Method::GET, path, &[], Vec::new()).await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Adds fault rules. Each rule must have a `match`, because other tests run concurrently.
    pub async fn add_faults(&self, rules: &[Value]) {
        let all_have_match = rules.iter().all(|rule| rule["match"].is_string());
        assert!(all_have_match, "a rule without `match` would affect all tests");
        let body = Value::from(rules).to_string().into_bytes();
        self.call(Method::POST, "/faults", &[], body).await;
    }

    /// Removes the fault rules with this `match`.
    pub async fn remove_faults(&self, matching: &str) {
        self.call(Method::DELETE, "/faults", &[("match", matching)], Vec::new()).await;
    }

    /// Returns how often each rule with this `match` has fired, in the order in which the
    /// rules were added.
    pub async fn fired_counts(&self, matching: &str) -> Vec<u64> {
        let rules: Vec<Value> = self.list("/faults").await;
        let matching_rules = rules.iter().filter(|rule| rule["match"] == matching);
        matching_rules.map(|rule| rule["fired"].as_u64().unwrap()).collect()
    }

    /// Returns how often the rules whose `match` contains this text have fired in total.
    pub async fn total_fired(&self, text: &str) -> u64 {
        let rules: Vec<Value> = self.list("/faults").await;
        let matching_rules =
            rules.iter().filter(|rule| rule["match"].as_str().unwrap().contains(text));
        matching_rules.map(|rule| rule["fired"].as_u64().unwrap()).sum()
    }

    /// Sets bandwidth and latency of requests. The `match` of the shape selects the requests by a
    /// part of their subjects.
    pub async fn shape(&self, shape: &Value) {
        assert!(shape["match"].is_string(), "a shape without `match` would affect all tests");
        self.call(Method::POST, "/shape", &[], shape.to_string().into_bytes()).await;
    }

    /// Returns the requests whose subject contains this text, oldest first.
    pub async fn requests(&self, matching: &str) -> Vec<Request> {
        let all: Vec<Request> = self.list("/requests").await;
        all.into_iter().filter(|request| request.subject.contains(matching)).collect()
    }
}

/// A document in the simulated source.
#[derive(Debug, Clone, Deserialize)]
pub struct Document {
    /// GUID of the document.
    pub guid: String,
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 of the bytes, in hexadecimal digits.
    pub sha256: String,
    /// Number of pushes.
    pub pushes: u64,
    /// Number of times that the mover copied it to the exchange bucket.
    pub moves: u64,
}

/// Client of the simulated document source (ORDS).
#[derive(Debug, Clone)]
pub struct Ords {
    /// Operations that all simulators have, such as fault rules.
    pub simulator: Simulator,
}

impl Ords {
    /// Creates a document with generated bytes. `parameters` are additional query parameters.
    pub async fn generate(&self, guid: &str, size: u64, parameters: &[(&str, &str)]) -> Document {
        let size = size.to_string();
        let seed = fastrand::u32(..).to_string();
        let query = [&[("generate", size.as_str()), ("seed", &seed)], parameters].concat();
        self.put(guid, Vec::new(), &query).await
    }

    /// Creates a document with these bytes. `query` contains the query parameters.
    pub async fn put(&self, guid: &str, bytes: Vec<u8>, query: &[(&str, &str)]) -> Document {
        let path = format!("/documents/{}", guid.replace('/', "%2F").replace('+', "%2B"));
        let text = self.simulator.call(Method::PUT, &path, query, bytes).await;
        serde_json::from_str(&text).unwrap()
    }

    /// Returns descriptions of the matching files that the mover has still to copy to the exchange
    /// bucket. Leaves out files that never arrive because of a fault.
    pub async fn files_in_transit(&self, matching: &str) -> Vec<String> {
        let files: Vec<Value> = self.simulator.list("/nfs").await;
        let arriving = files.iter().filter(|file| file["never"] != true).map(Value::to_string);
        arriving.filter(|file| file.contains(matching)).collect()
    }

    /// Returns the state of a document.
    pub async fn document(&self, guid: &str) -> Document {
        let all: Vec<Document> = self.simulator.list("/documents").await;
        all.into_iter().find(|document| document.guid == guid).expect("no such document")
    }
}

/// A file in the OneDrive of a user.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveredFile {
    /// Address of the user.
    pub user: String,
    /// Path from the root folder.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 of the bytes, in hexadecimal digits.
    pub sha256: String,
    /// Number of body bytes that were received for this path, including bytes that were not
    /// stored.
    pub received_bytes: u64,
    /// Number of upload sessions opened for this path.
    pub sessions: u64,
    /// Number of fragments received for this path.
    pub fragments: u64,
    /// Size of the largest fragment in bytes.
    pub largest_fragment: u64,
    /// Number of times that a file was written to this path.
    pub versions: u64,
}

/// An upload session.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Address of the user.
    pub user: String,
    /// Path of the file.
    pub path: String,
    /// State: `open`, `completed`, `deleted` or `expired`.
    pub state: String,
    /// Number of stored bytes.
    pub next_offset: u64,
    /// Number of received body bytes.
    pub received_bytes: u64,
}

/// Client of the simulated Microsoft Graph.
#[derive(Debug, Clone)]
pub struct Graph {
    /// Operations that all simulators have, such as fault rules.
    pub simulator: Simulator,
}

impl Graph {
    /// Sets the time after which an upload session without requests expires. Sessions that are
    /// already open keep their lifetime.
    pub async fn set_session_lifetime(&self, seconds: u64) {
        let seconds = seconds.to_string();
        let query = [("seconds", seconds.as_str())];
        self.simulator.call(Method::PUT, "/sessions/lifetime", &query, Vec::new()).await;
    }

    /// Adds or changes a user. `query` may contain the parameters `drive` and `quota`. The user
    /// principal name `upn` is the email address.
    pub async fn put_user(&self, upn: &str, query: &[(&str, &str)]) {
        self.simulator.call(Method::PUT, &format!("/users/{upn}"), query, Vec::new()).await;
    }

    /// Returns the addresses of all users.
    pub async fn users(&self) -> Vec<String> {
        let users: Vec<Value> = self.simulator.list("/users").await;
        users.iter().map(|user| user["upn"].as_str().unwrap().to_owned()).collect()
    }

    /// Returns the id of a user.
    pub async fn user_id(&self, upn: &str) -> String {
        let users: Vec<Value> = self.simulator.list("/users").await;
        let user = users.iter().find(|user| user["upn"] == upn).expect("no such user");
        user["id"].as_str().unwrap().to_owned()
    }

    /// Returns the files of a user.
    pub async fn files(&self, user: &str) -> Vec<DeliveredFile> {
        let all: Vec<DeliveredFile> = self.simulator.list("/files").await;
        all.into_iter().filter(|file| file.user == user).collect()
    }

    /// Returns the upload sessions of a user, oldest first.
    pub async fn sessions(&self, user: &str) -> Vec<Session> {
        let all: Vec<Session> = self.simulator.list("/sessions").await;
        all.into_iter().filter(|session| session.user == user).collect()
    }
}
