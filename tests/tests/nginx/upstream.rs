//! Mock of the downloads API, to which nginx forwards the requests of the clients under test. It
//! serves two jobs: `j1`, whose responses are correct, and `j2`, whose responses are damaged until
//! the last one. Each connection serves one request.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A presigned URL with characters that a proxy might normalize.
pub(crate) const PRESIGNED_URL: &str =
    "https://bucket.example/downloads/j1/0?X-Amz-Credential=AKIA%2F20261123&X-Amz-Signature=a+b//c";

/// The running mock. It stops when the value is dropped.
pub(crate) struct Upstream {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    serving: tokio::task::JoinHandle<()>,
}

/// State shared by all connections.
struct Shared {
    /// Heads of all requests, with header names in lower case.
    request_heads: Mutex<Vec<String>>,
    /// Number of calls so far that get scripted responses, one after the other.
    scripted_calls: AtomicUsize,
    /// Number of the last event that the client has received.
    confirmed: watch::Sender<u32>,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Upstream {
    /// Starts the mock on a free port.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            request_heads: Mutex::default(),
            scripted_calls: AtomicUsize::new(0),
            confirmed: watch::Sender::new(0),
        });
        let listener_state = Arc::clone(&shared);
        let serving = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let shared = Arc::clone(&listener_state);
                tokio::spawn(async move {
                    // The client may close the connection at any time.
                    let _ = shared.serve(socket).await;
                });
            }
        });
        Self { port, shared, serving }
    }

    /// Returns the heads of all requests, with header names in lower case.
    pub(crate) fn request_heads(&self) -> Vec<String> {
        self.shared.request_heads.lock().unwrap().clone()
    }

    /// Records that the client has received the event with this number.
    pub(crate) fn confirm(&self, event_number: u32) {
        self.shared.confirmed.send_replace(event_number);
    }
}

impl Shared {
    /// Reads one request and responds to it.
    async fn serve(&self, mut socket: TcpStream) -> std::io::Result<()> {
        let head = read_head(&mut socket).await?;
        self.request_heads.lock().unwrap().push(head.clone());
        let mut words = head.split(' ');
        let method = words.next().unwrap_or_default();
        let target = words.next().unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default().strip_prefix("/prod");
        match (method, path.unwrap_or_default()) {
            ("GET", "/v1/download/subscribe/j1") => self.send_events(&mut socket, &head).await,
            ("GET", "/v1/download/status/j1") => respond(&mut socket, &self.next_status()).await,
            ("GET", "/v1/download/status/j2") => self.send_broken_status(&mut socket).await,
            ("GET", "/v1/download/subscribe/j2") => self.send_broken_events(&mut socket).await,
            ("GET", "/v1/download/j1") => {
                let head = format!("HTTP/1.1 302 Found\r\nlocation: {PRESIGNED_URL}\r\n");
                respond(&mut socket, &Response::new(&head, "")).await
            }
            ("POST", "/v1/download/initiate") => {
                let head = "HTTP/1.1 202 Accepted\r\nlocation: status/j1\r\nretry-after: 1\r\n\
                                x-request-id: request-1\r\ncontent-type: application/json\r\n";
                respond(&mut socket, &Response::new(head, r#"{"jobId":"j1"}"#)).await
            }
            ("POST", path) if path.starts_with("/confirm/") => {
                let event_number = path.trim_start_matches("/confirm/").parse().unwrap_or(0);
                self.confirmed.send_replace(event_number);
                respond(&mut socket, &Response::new("HTTP/1.1 202 Accepted\r\n", "")).await
            }
            _ => respond(&mut socket, &Response::new("HTTP/1.1 404 No\r\n", "")).await,
        }
    }

    /// Returns the next status of the job `j1`. The responses in order: throttled, running,
    /// completed.
    fn next_status(&self) -> Response {
        let (head, body) = match self.scripted_calls.fetch_add(1, Ordering::Relaxed) {
            0 => (
                "HTTP/1.1 429 Slow down\r\nretry-after: 2\r\ncontent-type: application/problem+json\r\n",
                r#"{"title":"Too many requests","status":429,"code":"THROTTLED"}"#,
            ),
            1 => (
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n",
                r#"{"jobId":"j1","status":"running","progress":40,"nextPollInMs":1500,"error":null}"#,
            ),
            _ => (
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n",
                r#"{"jobId":"j1","status":"completed","progress":100,"nextPollInMs":null,"error":null}"#,
            ),
        };
        Response::new(head, body)
    }

    /// Sends the next status of the job `j2`. The responses in order: a sign-in page, a truncated
    /// body, a status with the wrong media type, the status `completed`.
    async fn send_broken_status(&self, socket: &mut TcpStream) -> std::io::Result<()> {
        let ok = "HTTP/1.1 200 OK\r\n";
        let body = r#"{"jobId":"j2","status":"completed","nextPollInMs":null,"error":null}"#;
        let (media_type, body_to_send) = match self.scripted_calls.fetch_add(1, Ordering::Relaxed) {
            0 => ("text/html", "<html>Sign in</html>"),
            1 => {
                let length = body.len();
                let head = "content-type: application/json\r\nconnection: close\r\n";
                let truncated =
                    format!("{ok}{head}content-length: {length}\r\n\r\n{}", &body[..20]);
                return socket.write_all(truncated.as_bytes()).await;
            }
            2 => ("text/plain", body),
            _ => ("application/json", body),
        };
        let head = format!("{ok}content-type: {media_type}\r\n");
        respond(socket, &Response::new(&head, body_to_send)).await
    }

    /// Sends the next events of the job `j2`. The responses in order: a sign-in page, an event that
    /// is not JSON, the last event, status 204 without events.
    async fn send_broken_events(&self, socket: &mut TcpStream) -> std::io::Result<()> {
        let ok = "HTTP/1.1 200 OK\r\n";
        let (media_type, body_to_send) = match self.scripted_calls.fetch_add(1, Ordering::Relaxed) {
            0 => ("text/html", "<html>\n\nSign in</html>"),
            1 => ("text/event-stream", "retry: 50\n\nid: 9\ndata: not JSON\n\n"),
            2 => ("text/event-stream", "retry: 50\n\nevent: result\nid: 1.end\ndata: {}\n\n"),
            _ => {
                let end = Response::new("HTTP/1.1 204 No Content\r\n", "");
                return respond(socket, &end).await;
            }
        };
        let head = format!("{ok}content-type: {media_type}\r\n");
        respond(socket, &Response::new(&head, body_to_send)).await
    }

    /// Sends events of the job `j1`, with the ids and data of the real API. The first connection gets
    /// two events, the second one after the client has received the first one. A client that
    /// reconnects gets the remaining events, and after the last event status 204.
    async fn send_events(&self, socket: &mut TcpStream, head: &str) -> std::io::Result<()> {
        if head.contains("\nlast-event-id: 1.completed.100.15.end") {
            return respond(socket, &Response::new("HTTP/1.1 204 No Content\r\n", "")).await;
        }
        let start = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                     cache-control: no-store\r\nconnection: close\r\n\r\nretry: 50\n\n: keep-alive\n\n";
        socket.write_all(start.as_bytes()).await?;
        if head.contains("\nlast-event-id: 1.running.40.6") {
            send_event(socket, "1.completed.40.6", "status", r#"{"status":"completed"}"#).await?;
            send_event(socket, "1.completed.100.15", "progress", r#"{"percent":100}"#).await?;
            return send_event(socket, "1.completed.100.15.end", "result", r#"{"url":null}"#).await;
        }
        let mut confirmed = self.confirmed.subscribe();
        for (number, id, name, data) in [
            (1, "1.running", "status", r#"{"status":"running"}"#),
            (2, "1.running.40.6", "progress", r#"{"percent":40}"#),
        ] {
            send_event(socket, id, name, data).await?;
            let _ = confirmed.wait_for(|seen| *seen >= number).await;
        }
        Ok(())
    }
}

/// Sends one event of a server-sent event stream.
async fn send_event(
    socket: &mut TcpStream,
    id: &str,
    name: &str,
    data: &str,
) -> std::io::Result<()> {
    socket.write_all(format!("event: {name}\nid: {id}\ndata: {data}\n\n").as_bytes()).await
}

/// An HTTP response of the mock.
struct Response {
    /// Status line and headers, without the length of the body and the empty line.
    head: String,
    body: String,
}

impl Response {
    fn new(head: &str, body: &str) -> Self {
        Self { head: head.to_owned(), body: body.to_owned() }
    }
}

/// Sends a response and announces that the connection closes.
async fn respond(socket: &mut TcpStream, response: &Response) -> std::io::Result<()> {
    let Response { head, body } = response;
    let length = if head.contains(" 204 ") {
        String::new()
    } else {
        format!("content-length: {}\r\n", body.len())
    };
    let text = format!("{head}{length}connection: close\r\n\r\n{body}");
    socket.write_all(text.as_bytes()).await
}

/// Reads a request and returns its head with header names in lower case. The body is discarded.
async fn read_head(socket: &mut TcpStream) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(socket.read_u8().await?);
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().map(|line| match line.split_once(": ") {
        Some((name, value)) => format!("{}: {value}", name.to_ascii_lowercase()),
        None => line.to_owned(),
    });
    let head = lines.collect::<Vec<_>>().join("\n");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
    socket.read_exact(&mut vec![0; length]).await?;
    Ok(head)
}
