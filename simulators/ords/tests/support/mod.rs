//! Test support: a document source simulator for each test, and a fake exchange bucket that records
//! the objects written to it.
#![allow(dead_code, unreachable_pub, reason = "each test file uses only some of these helpers")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test helpers panic on failure")]

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Query, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use docferry_sim_ords::{Config, ExchangeConfig, Running, start};
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// An object in the bucket, recorded when it became visible.
#[derive(Debug, Clone)]
pub struct Arrival {
    pub path: String,
    pub content_type: String,
    pub bytes: Vec<u8>,
    /// Number of parts of a multipart upload. It is 0 for a single PUT.
    pub parts: usize,
}

/// Fake bucket that sends each object to `arrivals`.
pub struct Bucket {
    pub arrivals: UnboundedReceiver<Arrival>,
    pub endpoint: String,
    _server: Running,
}

impl Bucket {
    /// Waits for the next object.
    pub async fn next_arrival(&mut self) -> Arrival {
        let wait = Duration::from_secs(20);
        tokio::time::timeout(wait, self.arrivals.recv())
            .await
            .expect("no object arrived within 20 s")
            .unwrap()
    }
}

/// Request handler of the fake bucket.
#[derive(Clone)]
struct Recorder {
    arrived: UnboundedSender<Arrival>,
    /// The multipart upload in progress. These tests need only one at a time.
    open_upload: Arc<Mutex<Multipart>>,
}

/// A multipart upload that is not complete.
#[derive(Default)]
struct Multipart {
    content_type: String,
    parts: BTreeMap<u32, Vec<u8>>,
}

pub async fn start_bucket() -> Bucket {
    let (arrived, arrivals) = unbounded_channel();
    let recorder = Recorder { arrived, open_upload: Arc::default() };
    let router =
        Router::new().fallback(record).layer(DefaultBodyLimit::disable()).with_state(recorder);
    let server = sim_kit::serve(0, None, |_| router).await.unwrap();
    Bucket { arrivals, endpoint: server.url().to_owned(), _server: server }
}

/// Handles a PUT of an object, or a step of a multipart upload.
async fn record(
    State(recorder): State<Recorder>,
    method: Method,
    uri: Uri,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().to_owned();
    let content_type = headers
        .get("content-type")
        .map(|value| value.to_str().unwrap().to_owned())
        .unwrap_or_default();
    let xml = |text: &str| ([("content-type", "application/xml")], text.to_owned()).into_response();
    match (method, query.contains_key("uploads"), query.get("partNumber")) {
        (Method::POST, true, _) => {
            *recorder.open_upload.lock().unwrap() =
                Multipart { content_type, ..Multipart::default() };
            xml(
                "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>",
            )
        }
        (Method::PUT, _, Some(number)) => {
            let number = number.parse().unwrap();
            recorder.open_upload.lock().unwrap().parts.insert(number, body.to_vec());
            [("etag", "\"part\"")].into_response()
        }
        (Method::POST, _, _) => {
            let Multipart { content_type, parts } =
                std::mem::take(&mut *recorder.open_upload.lock().unwrap());
            let count = parts.len();
            let bytes = parts.into_values().flatten().collect();
            recorder.arrived.send(Arrival { path, content_type, bytes, parts: count }).unwrap();
            xml("<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>")
        }
        (Method::PUT, _, _) => {
            let bytes = body.to_vec();
            recorder.arrived.send(Arrival { path, content_type, bytes, parts: 0 }).unwrap();
            [("etag", "\"whole\"")].into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A simulator and its client.
pub struct Bench {
    pub ords: Running,
    pub http: Client,
}

pub async fn start_bench(bucket: Option<&Bucket>) -> Bench {
    let exchange = bucket.map(|bucket| ExchangeConfig {
        endpoint: Some(bucket.endpoint.clone()),
        region: "us-east-1".to_owned(),
        bucket: "exchange".to_owned(),
        access_key: "simulated".to_owned(),
        secret_key: "simulated".to_owned(),
        path_style: true,
    });
    let config = Config {
        application_id: Some("app".to_owned()),
        app_password: Some("app-secret".to_owned()),
        exchange,
        mover_delay: Duration::ZERO,
        ..Config::default()
    };
    let ords = start(config).await.unwrap();
    Bench { ords, http: Client::builder().no_proxy().build().unwrap() }
}

impl Bench {
    /// Returns a push request with valid credentials.
    pub fn push_request(&self, guid: &str) -> RequestBuilder {
        self.http
            .get(format!("{}/doc/push-to-server", self.ords.url()))
            .basic_auth("simulated-user", Some("simulated-password"))
            .query(&[
                ("document_guid", guid),
                ("application_id", "app"),
                ("app_password", "app-secret"),
                ("user_name", "u"),
                ("database_id", "d"),
                ("ticket_lifetime", "20"),
                ("putid", "SCV"),
                ("server", "s"),
            ])
    }

    /// Pushes a document. Returns the status and the body; a body that is not JSON becomes a
    /// string.
    pub async fn push(&self, guid: &str) -> (u16, Value) {
        let response = self.push_request(guid).send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Adds a document. `guid` must be percent-encoded.
    pub async fn add_document(&self, guid: &str, query: &str, body: Vec<u8>) -> Value {
        let url = format!("{}/documents/{guid}?{query}", self.ords.admin_url());
        let response = self.http.put(url).body(body).send().await.unwrap();
        response.error_for_status().unwrap().json().await.unwrap()
    }

    /// Adds fault rules.
    pub async fn add_faults(&self, rules: Value) {
        let url = format!("{}/faults", self.ords.admin_url());
        self.http.post(url).json(&rules).send().await.unwrap().error_for_status().unwrap();
    }

    /// Reads from the admin interface.
    pub async fn get_admin(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.ords.admin_url());
        self.http.get(url).send().await.unwrap().json().await.unwrap()
    }
}
