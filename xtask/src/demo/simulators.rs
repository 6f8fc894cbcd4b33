//! Client of the admin interfaces of the simulated ORDS and Microsoft Graph, for the demo.
//!
//! Through an *admin interface*, the demo adds source documents, limits the bandwidth, and reads
//! the files that have arrived. The real systems have no such interface.

use std::time::Duration;

use anyhow::{Context as _, Result};
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use url::Url;

use super::scenario::{Content, Item};

/// Timeout of a request. Generating and hashing 300 MB takes a simulator some seconds.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A document in the simulated object store.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct SourceDocument {
    pub(crate) guid: String,
    pub(crate) size: u64,
    pub(crate) sha256: String,
}

/// A file in a simulated OneDrive.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeliveredFile {
    pub(crate) user: String,
    pub(crate) path: String,
    pub(crate) size: u64,
    pub(crate) sha256: String,
    /// Number of bytes that Graph received for the file.
    pub(crate) received_bytes: u64,
}

/// An upload session of the simulated Graph, which may be open or closed.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session {
    pub(crate) user: String,
    pub(crate) path: String,
    pub(crate) state: String,
    pub(crate) received_bytes: u64,
}

/// Client of the admin interfaces of both simulators.
#[derive(Debug)]
pub(crate) struct Simulators {
    http: Client,
    ords: Url,
    graph: Url,
}

impl Simulators {
    pub(crate) fn new(ords_admin: &str, graph_admin: &str) -> Result<Self> {
        // The simulators listen on this machine, so a proxy must not be used.
        let http = Client::builder().no_proxy().timeout(TIMEOUT).build()?;
        Ok(Self { http, ords: ords_admin.parse()?, graph: graph_admin.parse()? })
    }

    /// Adds a document to the object store.
    pub(crate) async fn register(&self, item: &Item) -> Result<()> {
        let mut url = join_path(&self.ords, &["documents", &item.guid])?;
        url.query_pairs_mut()
            .append_pair("filename", item.filename)
            .append_pair("mimetype", item.mimetype);
        let request = match &item.content {
            Content::SameDocument | Content::Unknown => return Ok(()),
            Content::Bytes(bytes) => self.http.put(url).body(bytes.clone()),
            Content::Generated { bytes, seed } => {
                url.query_pairs_mut()
                    .append_pair("generate", &bytes.to_string())
                    .append_pair("seed", &seed.to_string());
                self.http.put(url)
            }
        };
        send(request).await.with_context(|| format!("registering “{}”", item.filename))?;
        Ok(())
    }

    /// Returns all documents of the object store.
    pub(crate) async fn documents(&self) -> Result<Vec<SourceDocument>> {
        send_and_parse(self.http.get(join_path(&self.ords, &["documents"])?)).await
    }

    /// Returns the files of all OneDrives.
    pub(crate) async fn files(&self) -> Result<Vec<DeliveredFile>> {
        send_and_parse(self.http.get(join_path(&self.graph, &["files"])?)).await
    }

    /// Returns all upload sessions, including closed ones.
    pub(crate) async fn sessions(&self) -> Result<Vec<Session>> {
        send_and_parse(self.http.get(join_path(&self.graph, &["sessions"])?)).await
    }

    /// Limits the bandwidth of each request to Graph. `None` removes the limit.
    pub(crate) async fn limit_graph_bandwidth(&self, bytes_per_second: Option<u64>) -> Result<()> {
        let url = join_path(&self.graph, &["shape"])?;
        let shape = match bytes_per_second {
            Some(rate) => json!({ "bytesPerSecond": rate }),
            None => json!({}),
        };
        send(self.http.post(url).json(&shape)).await.context("shaping the Graph simulator")?;
        Ok(())
    }
}

/// Appends segments to the path of a URL.
fn join_path(base: &Url, path: &[&str]) -> Result<Url> {
    let mut url = base.clone();
    match url.path_segments_mut() {
        Ok(mut segments) => segments.pop_if_empty().extend(path),
        Err(()) => anyhow::bail!("{base} cannot carry a path"),
    };
    Ok(url)
}

/// Sends a request and checks that the response is a success.
async fn send(request: RequestBuilder) -> Result<reqwest::Response> {
    let response = request.send().await.context("a simulator could not be reached")?;
    let status = response.status();
    if !status.is_success() {
        let text = response.text().await.unwrap_or_default();
        anyhow::bail!("a simulator's admin interface responded with {status}: {text}");
    }
    Ok(response)
}

/// Sends a request and parses the body of the response.
async fn send_and_parse<T: DeserializeOwned>(request: RequestBuilder) -> Result<T> {
    let url = request.try_clone().and_then(|copy| copy.build().ok()).map(|copy| copy.url().clone());
    let context = || format!("reading {}", url.map(|url| url.to_string()).unwrap_or_default());
    send(request).await?.json().await.with_context(context)
}
