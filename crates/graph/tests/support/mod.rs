//! Helpers that the test binaries of this crate share: a local TCP server that records the exact
//! bytes of requests, a client of Microsoft Graph that calls this server, and streams of bytes to
//! upload.

#![allow(dead_code, reason = "each test binary uses only a part")]
#![allow(clippy::unwrap_used, reason = "test helpers")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use docferry_app::ports::{
    ByteStream, Cause, Clock, CredentialsProvider, Destination, ExchangeError, Freshness, UploadUrl,
};
use docferry_domain::upload::FragmentRange;
use docferry_graph::{ClientCredentials, GraphDrive, GraphSettings};
use futures::StreamExt as _;
use jiff::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Clock that moves only when a test advances it.
#[derive(Clone, Default)]
pub(crate) struct ManualClock(Arc<Mutex<Timestamp>>);

impl ManualClock {
    pub(crate) fn advance_seconds(&self, seconds: i64) {
        *self.0.lock().unwrap() += jiff::SignedDuration::from_secs(seconds);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// Provider of credentials that counts how often they are read.
#[derive(Clone, Default)]
pub(crate) struct CountingCredentials {
    cached_lookups: Arc<AtomicU32>,
    fresh_lookups: Arc<AtomicU32>,
}

impl CountingCredentials {
    /// Returns the number of lookups that accept cached credentials.
    pub(crate) fn cached_lookups(&self) -> u32 {
        self.cached_lookups.load(Ordering::SeqCst)
    }

    /// Returns the number of lookups that require fresh credentials.
    pub(crate) fn fresh_lookups(&self) -> u32 {
        self.fresh_lookups.load(Ordering::SeqCst)
    }
}

impl CredentialsProvider<ClientCredentials> for CountingCredentials {
    async fn credentials(&self, lookup: Freshness) -> Result<ClientCredentials, Cause> {
        let (counter, client_secret) = match lookup {
            Freshness::Fresh => (&self.fresh_lookups, "s3cret-new"),
            Freshness::Cached => (&self.cached_lookups, "s3cret"),
        };
        counter.fetch_add(1, Ordering::SeqCst);
        Ok(ClientCredentials { client_id: "app".into(), client_secret: client_secret.into() })
    }
}

pub(crate) type TestDrive = GraphDrive<CountingCredentials, ManualClock>;

/// Settings for a server at `base_url`.
pub(crate) fn settings(base_url: &str) -> GraphSettings {
    GraphSettings {
        graph_url: base_url.to_owned(),
        authority_url: base_url.to_owned(),
        stall_timeout: Duration::from_secs(20),
        ..GraphSettings::public_cloud("tenant")
    }
}

/// Client of a server at `base_url`.
pub(crate) fn drive(base_url: &str) -> TestDrive {
    GraphDrive::new(&settings(base_url), CountingCredentials::default(), ManualClock::default())
        .unwrap()
}

/// Returns a destination in the OneDrive of `ada@court.example`.
pub(crate) fn destination(folder: &str, name: &str) -> Destination {
    Destination {
        recipient: "ada@court.example".parse().unwrap(),
        folder: folder.parse().unwrap(),
        name: name.parse().unwrap(),
    }
}

/// Returns the range from `start` to `end`, which is exclusive, of a document of `total` bytes.
pub(crate) fn range(start: u64, end: u64, total: u64) -> FragmentRange {
    FragmentRange { start, end, total }
}

/// Size of the chunks of a test stream in bytes.
const CHUNK_SIZE: usize = 8192;

/// Returns a stream of `len` bytes. `read_chunks` counts the chunks that are read from the stream.
pub(crate) fn counted_stream(len: usize, read_chunks: &Arc<AtomicU32>) -> ByteStream {
    let read_chunks = Arc::clone(read_chunks);
    let chunks = vec![Bytes::from(vec![b'x'; CHUNK_SIZE]); len / CHUNK_SIZE];
    let rest = Bytes::from(vec![b'x'; len % CHUNK_SIZE]);
    futures::stream::iter(chunks.into_iter().chain([rest]))
        .map(move |chunk| {
            read_chunks.fetch_add(1, Ordering::SeqCst);
            Ok(chunk)
        })
        .boxed()
}

/// Returns a stream of `len` bytes.
pub(crate) fn byte_stream(len: usize) -> ByteStream {
    counted_stream(len, &Arc::default())
}

/// Returns a stream that yields `len` bytes and then fails with [`ExchangeError::Changed`].
pub(crate) fn stream_failing_after(len: usize) -> ByteStream {
    let error = futures::stream::iter([Err(ExchangeError::Changed)]);
    byte_stream(len).chain(error).boxed()
}

/// Local server that accepts connections one by one.
pub(crate) struct Listener {
    tcp: TcpListener,
    /// URL of the server, without a path.
    pub(crate) base_url: String,
}

impl Listener {
    pub(crate) async fn bind() -> Self {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", tcp.local_addr().unwrap());
        Self { tcp, base_url }
    }

    /// Returns an upload URL of this server. Its query contains a secret.
    pub(crate) fn upload_url(&self) -> UploadUrl {
        UploadUrl::new(format!("{}/up?tempauth=s", self.base_url))
    }

    pub(crate) async fn accept(&self) -> Connection {
        Connection(self.tcp.accept().await.unwrap().0)
    }
}

/// Accepted connection.
pub(crate) struct Connection(pub(crate) TcpStream);

impl Connection {
    /// Reads the head of the next request, as text.
    pub(crate) async fn read_head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.unwrap());
        }
        String::from_utf8(head).unwrap()
    }

    /// Reads the next request: its head, and its body of `Content-Length` bytes.
    pub(crate) async fn read_request(&mut self) -> (String, Vec<u8>) {
        let head = self.read_head().await;
        let len = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |len| len.parse().unwrap());
        let mut body = vec![0; len];
        self.0.read_exact(&mut body).await.unwrap();
        (head, body)
    }

    /// Sends a response. `headers` contains additional header lines, each with its line end.
    pub(crate) async fn respond(&mut self, status: &str, headers: &str, body: &str) {
        let len = body.len();
        let text = format!("HTTP/1.1 {status}\r\ncontent-length: {len}\r\n{headers}\r\n{body}");
        self.0.write_all(text.as_bytes()).await.unwrap();
    }
}
