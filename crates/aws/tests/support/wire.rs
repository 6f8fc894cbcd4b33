//! A wire that answers as a test says: with bytes of its own, with those of the
//! emulator, or by breaking the connection.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What happens after the bytes of an answer are sent.
pub enum Then {
    /// The connection is closed.
    Close,
    /// Nothing, for ever.
    Stall,
}

/// Serves every request with `answer(n, request)`, n counting from 0, a
/// connection each; the URL to reach it. It ends with the test's runtime.
pub async fn serve<F, A>(answer: F) -> String
where
    F: Fn(usize, Vec<u8>) -> A + Send + Sync + 'static,
    A: Future<Output = (Vec<u8>, Then)> + Send,
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

/// A whole answer.
pub fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

/// The emulator behind a wire that can lose an answer.
pub struct Lossy {
    /// Where to reach it.
    pub url: String,
    armed: Arc<AtomicBool>,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Lossy {
    /// A wire to the emulator.
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

    /// The operations that passed since this was asked last, in their order.
    pub fn calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    /// The next request is carried out and its answer is lost.
    pub fn lose_the_next_answer(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }

    /// Whether an answer was lost since.
    pub fn has_lost_it(&self) -> bool {
        !self.armed.load(Ordering::SeqCst)
    }
}

/// What a request asks for: `PutItem`, say.
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
