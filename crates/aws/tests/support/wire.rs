//! Fake HTTP server and proxy for the tests of the AWS adapters.
//!
//! [`serve`] starts a server that sends the responses of a test. [`LossyProxy`] forwards requests
//! to the emulator, counts them, and can drop a response.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Action of the server after it has sent a response.
pub enum AfterResponse {
    /// Closes the connection.
    Close,
    /// Keeps the connection open and sends nothing more.
    Stall,
}

/// Starts a server and returns its URL. For each request it sends the response that `respond`
/// returns. The arguments of `respond` are the index of the request, counted from 0, and its bytes.
/// The server serves one request per connection, and ends when the test's runtime ends.
pub async fn serve<F, Fut>(respond: F) -> String
where
    F: Fn(usize, Vec<u8>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = (Vec<u8>, AfterResponse)> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (respond, count) = (Arc::new(respond), Arc::new(AtomicUsize::new(0)));
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let (respond, count) = (Arc::clone(&respond), Arc::clone(&count));
            tokio::spawn(async move {
                let Some(request) = read_request(&mut socket).await else { return };
                let index = count.fetch_add(1, Ordering::SeqCst);
                let (bytes, after_response) = respond(index, request).await;
                let _ = socket.write_all(&bytes).await;
                let _ = socket.flush().await;
                if matches!(after_response, AfterResponse::Stall) {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    url
}

/// Reads one request with its body. Returns `None` if the client closes the connection first.
async fn read_request(socket: &mut TcpStream) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    loop {
        if socket.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
        let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
        if request.len() >= end + 4 + length {
            return Some(request);
        }
    }
}

/// Returns a complete HTTP response.
pub fn http_response(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

/// Proxy in front of the emulator that can drop a response.
pub struct LossyProxy {
    /// URL of the proxy.
    pub url: String,
    /// Whether the next response is to be dropped.
    drops_next: Arc<AtomicBool>,
    /// Operations since the last call of [`LossyProxy::calls`].
    calls: Arc<Mutex<Vec<String>>>,
    /// Numbers of items that DynamoDB evaluated, since the last call of [`LossyProxy::scanned`].
    scanned: Arc<Mutex<Vec<usize>>>,
}

impl LossyProxy {
    /// Starts a proxy in front of the emulator.
    pub async fn to(emulator: &str) -> Self {
        let drops_next = Arc::new(AtomicBool::new(false));
        let calls = Arc::<Mutex<Vec<String>>>::default();
        let upstream = emulator.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let scanned = Arc::<Mutex<Vec<usize>>>::default();
        let (drop_flag, recorded_calls) = (Arc::clone(&drops_next), Arc::clone(&calls));
        let recorded_scanned = Arc::clone(&scanned);
        let url = serve(move |_, request| {
            let (upstream, drop_flag) = (upstream.clone(), Arc::clone(&drop_flag));
            let recorded_scanned = Arc::clone(&recorded_scanned);
            recorded_calls.lock().unwrap().extend(operation(&request));
            async move {
                let response = forward(&upstream, request).await;
                recorded_scanned.lock().unwrap().extend(scanned_count(&response));
                let is_dropped = drop_flag.swap(false, Ordering::SeqCst);
                (if is_dropped { Vec::new() } else { response }, AfterResponse::Close)
            }
        });
        Self { url: url.await, drops_next, calls, scanned }
    }

    /// Returns the operations since the last call of this method, in order.
    pub fn calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    /// Returns the numbers of items that DynamoDB evaluated for the queries since the last call of
    /// this method, in order.
    pub fn scanned(&self) -> Vec<usize> {
        std::mem::take(&mut *self.scanned.lock().unwrap())
    }

    /// Drops the response to the next request, which is still executed.
    pub fn drop_next_response(&self) {
        self.drops_next.store(true, Ordering::SeqCst);
    }

    /// Returns whether the response of the last [`LossyProxy::drop_next_response`] has been
    /// dropped.
    pub fn has_dropped_response(&self) -> bool {
        !self.drops_next.load(Ordering::SeqCst)
    }
}

/// Returns the operation of a request, such as `PutItem`.
fn operation(request: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(request);
    let target = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("x-amz-target").then(|| value.trim().to_owned())
    })?;
    target.rsplit('.').next().map(str::to_owned)
}

/// Returns the number of items that DynamoDB evaluated, from the response to a Query.
fn scanned_count(response: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(response);
    let (_, count) = text.split_once("\"ScannedCount\":")?;
    let count = count.trim_start();
    count[..count.find(|character: char| !character.is_ascii_digit())?].parse().ok()
}

/// Sends a request to the emulator and returns the response.
async fn forward(upstream: &str, request: Vec<u8>) -> Vec<u8> {
    let request_line_end = request.windows(2).position(|window| window == b"\r\n").unwrap() + 2;
    let mut socket = TcpStream::connect(upstream).await.unwrap();
    socket.write_all(&request[..request_line_end]).await.unwrap();
    socket.write_all(b"connection: close\r\n").await.unwrap();
    socket.write_all(&request[request_line_end..]).await.unwrap();
    let mut response = Vec::new();
    socket.read_to_end(&mut response).await.unwrap();
    response
}
