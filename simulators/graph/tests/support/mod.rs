//! Test support: a Microsoft Graph simulator for each test, and an HTTP client with an access token
//! of this simulator.
#![allow(dead_code, unreachable_pub, reason = "each test file uses only some of these helpers")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test helpers panic on failure")]

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
};

use docferry_sim_graph::{Config, Running, start};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

/// The size of each fragment except the last one is a multiple of this number of bytes.
pub const FRAGMENT_UNIT: usize = 327_680;
/// UPN of the user.
pub const USER: &str = "ada@example.org";

/// A simulator, and a client with an access token of this simulator.
pub struct Bench {
    pub graph: Running,
    pub http: Client,
    pub token: String,
}

/// Returns a configuration whose upload URLs have no quote, because reqwest would rewrite it.
pub fn config() -> Config {
    Config { users: vec![USER.to_owned()], quote_in_upload_urls: false, ..Config::default() }
}

/// Starts a simulator, and authenticates the client.
pub async fn start_bench() -> Bench {
    start_bench_with(config()).await
}

/// Starts a simulator with this configuration, and authenticates the client.
pub async fn start_bench_with(config: Config) -> Bench {
    let graph = start(config).await.unwrap();
    let http = Client::builder().no_proxy().build().unwrap();
    let mut bench = Bench { graph, http, token: String::new() };
    let (status, body) =
        read_json(bench.token_request("simulated-secret").send().await.unwrap()).await;
    assert_eq!(status, 200, "{body}");
    body["access_token"].as_str().unwrap().clone_into(&mut bench.token);
    bench
}

/// Returns the status and the body of a response. A body that is not JSON is returned as null.
pub async fn read_json(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let bytes = response.bytes().await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

/// Returns the most specific error code in the body of an error response.
pub fn error_code(body: &Value) -> String {
    let error = &body["error"];
    let code = error["innerError"]["code"].as_str().or(error["code"].as_str());
    code.unwrap_or_default().to_owned()
}

/// Returns `length` bytes of test data.
pub fn test_bytes(length: usize) -> Vec<u8> {
    (0..length).map(|index| u8::try_from((index * 7 + index / 251) % 256).unwrap()).collect()
}

// Requests to Graph and to the simulator's admin interface.
impl Bench {
    /// Returns a request for an access token with this client secret.
    pub fn token_request(&self, secret: &str) -> RequestBuilder {
        let url = format!("{}/simulated-tenant/oauth2/v2.0/token", self.graph.url());
        let scope = format!("{}/.default", self.graph.url());
        self.http.post(url).form(&[
            ("client_id", "simulated-client"),
            ("client_secret", secret),
            ("scope", &scope),
            ("grant_type", "client_credentials"),
        ])
    }

    /// Returns an authenticated request to Graph.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/v1.0{path}", self.graph.url());
        self.http.request(method, url).bearer_auth(&self.token)
    }

    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        read_json(self.request(Method::GET, path).send().await.unwrap()).await
    }

    /// Requests an upload session and returns the response.
    pub async fn request_session(
        &self,
        path: &str,
        size: usize,
        conflict: &str,
    ) -> (StatusCode, Value) {
        let path = format!("/users/{USER}/drive/root:/{path}:/createUploadSession");
        let body = json!({ "item": {
            "@microsoft.graph.conflictBehavior": conflict, "fileSize": size
        } });
        read_json(self.request(Method::POST, &path).json(&body).send().await.unwrap()).await
    }

    /// Creates an upload session and returns its URL.
    pub async fn create_session(&self, path: &str, size: usize) -> String {
        let (status, body) = self.request_session(path, size, "fail").await;
        assert_eq!(status, 200, "{body}");
        body["uploadUrl"].as_str().unwrap().to_owned()
    }

    /// Returns a request that sends `all[start..end]` as a fragment.
    pub fn fragment_request(
        &self,
        url: &str,
        all: &[u8],
        start: usize,
        end: usize,
    ) -> RequestBuilder {
        self.http
            .put(url)
            .header("Content-Range", format!("bytes {start}-{}/{}", end - 1, all.len()))
            .body(all[start..end].to_vec())
    }

    /// Sends `all[start..end]` as a fragment and returns the response.
    pub async fn put_fragment(
        &self,
        url: &str,
        all: &[u8],
        start: usize,
        end: usize,
    ) -> (StatusCode, Value) {
        read_json(self.fragment_request(url, all, start, end).send().await.unwrap()).await
    }

    /// Returns the HTTP status of a request for the session's status.
    pub async fn session_status_code(&self, url: &str) -> u16 {
        self.http.get(url).send().await.unwrap().status().as_u16()
    }

    /// Returns the session's next expected ranges.
    pub async fn next_expected_ranges(&self, url: &str) -> Value {
        let (status, body) = read_json(self.http.get(url).send().await.unwrap()).await;
        assert_eq!(status, 200, "{body}");
        body["nextExpectedRanges"].clone()
    }

    /// Adds fault rules.
    pub async fn add_faults(&self, rules: Value) {
        let url = format!("{}/faults", self.graph.admin_url());
        let (status, body) =
            read_json(self.http.post(url).json(&rules).send().await.unwrap()).await;
        assert_eq!(status, 200, "{body}");
    }

    /// Reads from the admin interface.
    pub async fn get_admin(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.graph.admin_url());
        let (status, body) = read_json(self.http.get(url).send().await.unwrap()).await;
        assert_eq!(status, 200);
        body
    }

    /// Returns the bytes of a stored file.
    pub async fn stored_bytes(&self, path: &str) -> Vec<u8> {
        let url = format!("{}/files/content", self.graph.admin_url());
        let request = self.http.get(url).query(&[("user", USER), ("path", path)]);
        request.send().await.unwrap().error_for_status().unwrap().bytes().await.unwrap().to_vec()
    }
}

/// Sends a request as raw bytes and returns the response. If `abandon` is true, closes the
/// connection and returns an empty text.
pub async fn send_raw(url: &str, head: String, body: Vec<u8>, abandon: bool) -> String {
    let host = url.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
    tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(host).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
        if abandon {
            stream.shutdown(Shutdown::Both).unwrap();
            return String::new();
        }
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        response
    })
    .await
    .unwrap()
}
