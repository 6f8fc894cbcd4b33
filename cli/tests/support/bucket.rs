//! Simulated delivery bucket that behaves like S3, with injected faults.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The document in the bucket.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) bytes: Vec<u8>,
    /// `ETag` header.
    pub(crate) etag: &'static str,
    /// `Content-Disposition` header.
    pub(crate) disposition: Option<String>,
}

/// Fault that is injected into one request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// Closes the connection after this number of bytes of the body.
    BreakAfter(usize),
    /// Sends nothing more after this number of bytes and keeps the connection open.
    StallAfter(usize),
    /// Refuses the request with this status.
    Status(u16),
}

/// A request that was received.
#[derive(Debug, Clone)]
pub(crate) struct ReceivedRequest {
    pub(crate) path: String,
    headers: Vec<(String, String)>,
}

impl ReceivedRequest {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// Running bucket with one document.
#[derive(Debug)]
pub(crate) struct Bucket {
    address: String,
    requests: Arc<Mutex<Vec<ReceivedRequest>>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Bucket {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Returns a document of `size` bytes.
pub(crate) fn document(size: usize, etag: &'static str, name: &str) -> Document {
    let bytes = (0..size).map(|at| (at * 31 + at / 251) as u8).collect();
    Document { bytes, etag, disposition: Some(format!("attachment; filename=\"{name}\"")) }
}

impl Bucket {
    /// Starts a bucket. Each fault applies to one request, in order; later requests succeed.
    pub(crate) async fn start(document: Document, faults: &[Fault]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (log, mut faults) = (Arc::clone(&requests), VecDeque::from(faults.to_vec()));
        let serving = tokio::spawn(async move {
            let mut stalled = Vec::new();
            loop {
                let Ok((mut socket, _)) = listener.accept().await else { return };
                let Some(request) = read_request(&mut socket).await else { continue };
                log.lock().unwrap().push(request.clone());
                let fault = faults.pop_front();
                let result = respond(&mut socket, &document, &request, fault).await;
                if matches!(fault, Some(Fault::StallAfter(_))) && result.is_ok() {
                    stalled.push(socket);
                }
            }
        });
        Self { address, requests, serving }
    }

    /// A presigned URL of the document: its query is the secret.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("http://{}/{name}?X-Amz-Signature=open-sesame-3", self.address)
    }

    /// Returns the requests received so far.
    pub(crate) fn requests(&self) -> Vec<ReceivedRequest> {
        self.requests.lock().unwrap().clone()
    }
}

/// Reads the head of a request; `None` if the connection is closed.
async fn read_request(socket: &mut TcpStream) -> Option<ReceivedRequest> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.ok()?);
    }
    let text = String::from_utf8(head).unwrap();
    let mut lines = text.lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    Some(ReceivedRequest { path, headers: headers.collect() })
}

/// Responds as S3 does, or with the fault.
async fn respond(
    socket: &mut TcpStream,
    document: &Document,
    request: &ReceivedRequest,
    fault: Option<Fault>,
) -> std::io::Result<()> {
    if let Some(Fault::Status(status)) = fault {
        let head =
            format!("HTTP/1.1 {status} Refused\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        return socket.write_all(head.as_bytes()).await;
    }
    let size = document.bytes.len();
    let is_unchanged = request.header("if-range").is_none_or(|tag| tag == document.etag);
    let from = request.header("range").filter(|_| is_unchanged).map(|range| {
        range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().parse::<usize>().unwrap()
    });
    let body = &document.bytes[from.unwrap_or(0).min(size)..];
    let mut head = match from {
        Some(from) if from >= size => {
            format!("HTTP/1.1 416 No\r\ncontent-range: bytes */{size}\r\n")
        }
        Some(from) => {
            format!("HTTP/1.1 206 Part\r\ncontent-range: bytes {from}-{}/{size}\r\n", size - 1)
        }
        None => "HTTP/1.1 200 OK\r\n".to_owned(),
    };
    head += &format!("etag: {}\r\ncontent-length: {}\r\n", document.etag, body.len());
    if let Some(disposition) = &document.disposition {
        head += &format!("content-disposition: {disposition}\r\n");
    }
    head += "connection: close\r\n\r\n";
    socket.write_all(head.as_bytes()).await?;
    let sent_bytes = match fault {
        Some(Fault::BreakAfter(bytes) | Fault::StallAfter(bytes)) => bytes.min(body.len()),
        _ => body.len(),
    };
    socket.write_all(&body[..sent_bytes]).await
}
