//! Simulated delivery bucket, from which the tests of `docferry get` download a document.
//!
//! It is a small HTTP server with one document. It serves ranges as S3 does, records every
//! request, and can break a connection, stall, or refuse a request.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// `ETag` header of a document before any change.
pub(crate) const ORIGINAL_ETAG: &str = "\"a\"";
/// `ETag` header of a document whose content has changed.
pub(crate) const CHANGED_ETAG: &str = "\"b\"";
/// File name in the `Content-Disposition` header, unless a test sets its own one.
pub(crate) const FILE_NAME: &str = "order.pdf";
/// Query of every presigned URL. It is the secret part, which must never be displayed.
const PRESIGNED_QUERY: &str = "X-Amz-Signature=open-sesame-3";

/// The document in the bucket.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) bytes: Vec<u8>,
    /// `ETag` header.
    pub(crate) etag: &'static str,
    /// `Content-Disposition` header, which contains the file name.
    pub(crate) disposition: Option<String>,
}

impl Document {
    /// Creates a document of `size` bytes named [`FILE_NAME`], with [`ORIGINAL_ETAG`].
    pub(crate) fn of_size(size: u64) -> Self {
        // The pattern does not repeat every 256 bytes, so misplaced bytes are noticed.
        let bytes = (0..size).map(|position| (position * 31 + position / 251) as u8).collect();
        Self { bytes, etag: ORIGINAL_ETAG, disposition: None }.named(FILE_NAME)
    }

    /// Sets the file name in the `Content-Disposition` header.
    pub(crate) fn named(mut self, name: &str) -> Self {
        self.disposition = Some(format!("attachment; filename=\"{name}\""));
        self
    }
}

/// Fault that is injected into the response to one request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// Closes the connection after this number of bytes of the body.
    BreakAfter(usize),
    /// Stops sending after this number of bytes of the body and keeps the connection open.
    StallAfter(usize),
    /// Refuses the request with this HTTP status.
    Status(u16),
}

/// A request that the bucket received.
#[derive(Debug, Clone)]
pub(crate) struct ReceivedRequest {
    /// Path and query.
    pub(crate) path: String,
    /// Names in lower case, with their values.
    headers: Vec<(String, String)>,
}

impl ReceivedRequest {
    /// Returns the value of a header. `name` is in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

/// Running bucket with one document. It stops when it is dropped.
#[derive(Debug)]
pub(crate) struct Bucket {
    address: String,
    requests: Arc<Mutex<Vec<ReceivedRequest>>>,
    serving_task: tokio::task::JoinHandle<()>,
}

impl Drop for Bucket {
    fn drop(&mut self) {
        self.serving_task.abort();
    }
}

impl Bucket {
    /// Starts a bucket. The first fault applies to the first request, the second fault to the
    /// second request, and so on. Requests after the last fault succeed.
    pub(crate) async fn start(document: Document, faults: &[Fault]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let request_log = Arc::clone(&requests);
        let mut remaining_faults = VecDeque::from(faults.to_vec());
        let serving_task = tokio::spawn(async move {
            // A socket that is dropped is closed, so stalled sockets are retained.
            let mut stalled_sockets = Vec::new();
            loop {
                let Ok((mut socket, _)) = listener.accept().await else { return };
                let Some(request) = read_request(&mut socket).await else { continue };
                request_log.lock().unwrap().push(request.clone());
                let fault = remaining_faults.pop_front();
                let result = respond(&mut socket, &document, &request, fault).await;
                if matches!(fault, Some(Fault::StallAfter(_))) && result.is_ok() {
                    stalled_sockets.push(socket);
                }
            }
        });
        Self { address, requests, serving_task }
    }

    /// Returns a presigned URL of the document. The bucket serves its only document at every
    /// path, so that tests can tell URLs apart by their `path`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}?{PRESIGNED_QUERY}", self.address)
    }

    /// Returns the requests received so far.
    pub(crate) fn requests(&self) -> Vec<ReceivedRequest> {
        self.requests.lock().unwrap().clone()
    }
}

/// Reads the head of a request. Returns `None` when the client closes the connection.
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

/// Sends the response that S3 would send, changed by `fault` if there is one.
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
    let range_start = requested_range_start(request, document);
    let body = &document.bytes[range_start.unwrap_or(0).min(size)..];
    let mut head = match range_start {
        Some(start) if start >= size => {
            format!("HTTP/1.1 416 No\r\ncontent-range: bytes */{size}\r\n")
        }
        Some(start) => {
            format!("HTTP/1.1 206 Part\r\ncontent-range: bytes {start}-{}/{size}\r\n", size - 1)
        }
        None => "HTTP/1.1 200 OK\r\n".to_owned(),
    };
    head += &format!("etag: {}\r\ncontent-length: {}\r\n", document.etag, body.len());
    if let Some(disposition) = &document.disposition {
        head += &format!("content-disposition: {disposition}\r\n");
    }
    head += "connection: close\r\n\r\n";
    socket.write_all(head.as_bytes()).await?;
    let body_bytes_to_send = match fault {
        Some(Fault::BreakAfter(bytes) | Fault::StallAfter(bytes)) => bytes.min(body.len()),
        _ => body.len(),
    };
    socket.write_all(&body[..body_bytes_to_send]).await
}

/// Returns the first byte that the request's `Range` header asks for.
///
/// Returns `None` when the whole document is to be sent: the request has no `Range` header,
/// or its `If-Range` header names another version of the document.
fn requested_range_start(request: &ReceivedRequest, document: &Document) -> Option<usize> {
    let is_unchanged = request.header("if-range").is_none_or(|etag| etag == document.etag);
    let range = request.header("range").filter(|_| is_unchanged)?;
    let start = range.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap();
    Some(start.parse().unwrap())
}
