use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A simulator's admin interface.
#[derive(Debug, Clone)]
pub struct Simulator {
    http: reqwest::Client,
    admin: String,
}

/// A request that a simulator has answered.
#[derive(Debug, Clone, Deserialize)]
pub struct Request {
    /// What was asked.
    pub operation: String,
    /// What it was about.
    pub subject: String,
    /// What was answered; `None` when the connection ended without an answer.
    pub status: Option<u16>,
    /// Body bytes.
    pub bytes: u64,
    /// When it ended.
    pub at: jiff::Timestamp,
    /// The trace that it came as part of.
    pub traceparent: Option<String>,
}

impl Simulator {
    pub(crate) fn new(admin: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { http, admin: admin.to_owned() }
    }

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

    async fn list<T: DeserializeOwned>(&self, path: &str) -> Vec<T> {
        let text = self.call(Method::GET, path, &[], Vec::new()).await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Adds rules; each must say what it matches, because others run beside us.
    pub async fn add_faults(&self, rules: &[Value]) {
        assert!(rules.iter().all(|rule| rule["match"].is_string()), "a rule for everybody");
        let body = Value::from(rules).to_string().into_bytes();
        self.call(Method::POST, "/faults", &[], body).await;
    }

    /// Removes the rules with this `match`.
    pub async fn remove_faults(&self, matching: &str) {
        self.call(Method::DELETE, "/faults", &[("match", matching)], Vec::new()).await;
    }

    /// How often the rules with this `match` have fired, in the order of their adding.
    pub async fn fired(&self, matching: &str) -> Vec<u64> {
        let rules: Vec<Value> = self.list("/faults").await;
        let ours = rules.iter().filter(|rule| rule["match"] == matching);
        ours.map(|rule| rule["fired"].as_u64().unwrap()).collect()
    }

    /// How often the rules have fired whose `match` contains this.
    pub async fn fired_within(&self, part: &str) -> u64 {
        let rules: Vec<Value> = self.list("/faults").await;
        let ours = rules.iter().filter(|rule| rule["match"].as_str().unwrap().contains(part));
        ours.map(|rule| rule["fired"].as_u64().unwrap()).sum()
    }

    /// Sets bandwidth and latency of what its `match` names.
    pub async fn shape(&self, shape: &Value) {
        assert!(shape["match"].is_string(), "a shape for everybody");
        self.call(Method::POST, "/shape", &[], shape.to_string().into_bytes()).await;
    }

    /// What was asked about a subject, oldest first.
    pub async fn requests(&self, matching: &str) -> Vec<Request> {
        let all: Vec<Request> = self.list("/requests").await;
        all.into_iter().filter(|request| request.subject.contains(matching)).collect()
    }
}

/// A document at its source.
#[derive(Debug, Clone, Deserialize)]
pub struct Document {
    /// Its GUID.
    pub guid: String,
    /// Bytes.
    pub size: u64,
    /// Of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// How often it was pushed.
    pub pushes: u64,
    /// How often the mover has brought it.
    pub moves: u64,
}

/// The simulated ORDS.
#[derive(Debug, Clone)]
pub struct Ords(pub Simulator);

impl Ords {
    /// Puts a document with made-up bytes; `more` are further parameters.
    pub async fn generate(&self, guid: &str, size: u64, more: &[(&str, &str)]) -> Document {
        let size = size.to_string();
        let seed = fastrand::u32(..).to_string();
        let query = [&[("generate", size.as_str()), ("seed", &seed)], more].concat();
        self.put(guid, Vec::new(), &query).await
    }

    /// Puts a document with these bytes.
    pub async fn put(&self, guid: &str, bytes: Vec<u8>, query: &[(&str, &str)]) -> Document {
        let path = format!("/documents/{}", guid.replace('/', "%2F").replace('+', "%2B"));
        let text = self.0.call(Method::PUT, &path, query, bytes).await;
        serde_json::from_str(&text).unwrap()
    }

    /// Files on their way to the exchange bucket, those that never come left out.
    pub async fn on_their_way(&self, matching: &str) -> Vec<String> {
        let files: Vec<Value> = self.0.list("/nfs").await;
        let coming = files.iter().filter(|file| file["never"] != true).map(Value::to_string);
        coming.filter(|file| file.contains(matching)).collect()
    }

    /// What is known of a document.
    pub async fn document(&self, guid: &str) -> Document {
        let all: Vec<Document> = self.0.list("/documents").await;
        all.into_iter().find(|document| document.guid == guid).expect("no such document")
    }
}

/// A file in somebody's OneDrive.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivered {
    /// Whose.
    pub user: String,
    /// Where, from the root.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// Body bytes that came for this path, whatever became of them.
    pub received_bytes: u64,
    /// Sessions opened for this path.
    pub sessions: u64,
    /// Fragments that came for this path.
    pub fragments: u64,
    /// The largest of them, in bytes.
    pub largest_fragment: u64,
    /// How often a file was written under this path.
    pub versions: u64,
}

/// An upload session.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Whose.
    pub user: String,
    /// Where to.
    pub path: String,
    /// `open`, `completed`, `deleted` or `expired`.
    pub state: String,
    /// Bytes that are stored.
    pub next_offset: u64,
    /// Body bytes that came.
    pub received_bytes: u64,
}

/// The simulated Microsoft Graph.
#[derive(Debug, Clone)]
pub struct Graph(pub Simulator);

impl Graph {
    /// How long upload sessions that are opened from now on live without a call.
    pub async fn set_session_lifetime(&self, seconds: u64) {
        let seconds = seconds.to_string();
        let query = [("seconds", seconds.as_str())];
        self.0.call(Method::PUT, "/sessions/lifetime", &query, Vec::new()).await;
    }

    /// Adds or changes a user; `query` may hold `drive` and `quota`.
    pub async fn put_user(&self, upn: &str, query: &[(&str, &str)]) {
        self.0.call(Method::PUT, &format!("/users/{upn}"), query, Vec::new()).await;
    }

    /// Everybody's addresses.
    pub async fn users(&self) -> Vec<String> {
        let users: Vec<Value> = self.0.list("/users").await;
        users.iter().map(|user| user["upn"].as_str().unwrap().to_owned()).collect()
    }

    /// Somebody's id.
    pub async fn user_id(&self, upn: &str) -> String {
        let users: Vec<Value> = self.0.list("/users").await;
        let user = users.iter().find(|user| user["upn"] == upn).expect("no such user");
        user["id"].as_str().unwrap().to_owned()
    }

    /// Somebody's files.
    pub async fn files(&self, user: &str) -> Vec<Delivered> {
        let all: Vec<Delivered> = self.0.list("/files").await;
        all.into_iter().filter(|file| file.user == user).collect()
    }

    /// Somebody's upload sessions, oldest first.
    pub async fn sessions(&self, user: &str) -> Vec<Session> {
        let all: Vec<Session> = self.0.list("/sessions").await;
        all.into_iter().filter(|session| session.user == user).collect()
    }
}
