//! Fake HTTP server: it sends responses of a test, forwards requests to the emulator, or breaks
//! the connection.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Action of the server after it has sent a response.
pub enum Then {
    /// Closes the connection.
    Close,
    /// Keeps the connection open and sends nothing more.
    Stall,
}

/// Starts a server and returns its URL. It calls `answer(n, request)` for each request, with `n`
/// counting from 0, and serves one request per connection. The server ends with the test's
/// runtime.
pub async fn serve<F, Fut>(answer: F) -> String
where
    F: Fn(usize, Vec<u8>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = (Vec<u8>, Then)> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (answer, count) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let (answer, count) = (Arc::clone(&answer), Arc::clone(&count));
            tokio::spawn(async move {
                let Some(request) = read_request(&mut socket).await else { return };
                let (bytes, then) = answer(count.fetch_add(1, Ordering::SeqCst), request).await;
                let _ = socket.write_all(&bytes).await;
                let _ = socket.flush().await;
                if matches!(then, Then::Stall) {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    url
}

async fn read_request(socket: &mut TcpStream) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    loop {
        if socket.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
        let Some(end) = request.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
        if request.len() >= end + 4 + length {
            return Some(request);
        }
    }
}

/// Returns a complete HTTP response.
pub fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
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
    armed: Arc<AtomicBool>,
    /// Operations since the last call of [`LossyProxy::calls`].
    calls: Arc<Mutex<Vec<String>>>,
}

impl LossyProxy {
    /// Starts a proxy in front of the emulator.
    pub async fn to(emulator: &str) -> Self {
        let armed = Arc::new(AtomicBool::new(false));
        let upstream = emulator.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let lose = Arc::clone(&armed);
        let calls = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&calls);
        let url = serve(move |_, request| {
            let (upstream, lose) = (upstream.clone(), Arc::clone(&lose));
            seen.lock().unwrap().extend(operation(&request));
            async move {
                let answer = forward(&upstream, request).await;
                let lost = lose.swap(false, Ordering::SeqCst);
                (if lost { Vec::new() } else { answer }, Then::Close)
            }
        });
        Self { url: url.await, armed, calls }
    }

    /// Returns the operations since the last call of this method, in order.
    pub fn calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    /// Drops the response to the next request, which is still executed.
    pub fn drop_next_response(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }

    /// Returns whether that response has been dropped.
    pub fn has_dropped_response(&self) -> bool {
        !self.armed.load(Ordering::SeqCst)
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

async fn forward(upstream: &str, request: Vec<u8>) -> Vec<u8> {
    let line = request.windows(2).position(|w| w == b"\r\n").unwrap() + 2;
    let mut socket = TcpStream::connect(upstream).await.unwrap();
    socket.write_all(&request[..line]).await.unwrap();
    socket.write_all(b"connection: close\r\n").await.unwrap();
    socket.write_all(&request[line..]).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    answer
}
