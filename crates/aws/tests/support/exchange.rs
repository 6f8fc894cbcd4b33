//! Fake S3 servers for the tests of the adapter for the exchange bucket.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use docferry_aws::S3ExchangeStore;
use docferry_aws::s3::{S3Settings, client};

use super::wire::{AfterResponse, serve};

/// Adapter whose server sends the same response to every request.
pub struct FakeStore {
    pub exchange: S3ExchangeStore,
    requests: Arc<AtomicUsize>,
}

impl FakeStore {
    /// Starts a server that closes the connection after `response`.
    pub async fn closing_after(response: Vec<u8>) -> Self {
        Self::start(response, || AfterResponse::Close).await
    }

    /// Starts a server that keeps the connection open after `response` and sends nothing more.
    pub async fn stalling_after(response: Vec<u8>) -> Self {
        Self::start(response, || AfterResponse::Stall).await
    }

    async fn start(response: Vec<u8>, after_response: fn() -> AfterResponse) -> Self {
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        let url = serve(move |index, _| {
            counter.store(index + 1, Ordering::SeqCst);
            let response = response.clone();
            async move { (response, after_response()) }
        })
        .await;
        Self { exchange: exchange(url), requests }
    }

    /// Returns the number of requests that the server has received.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// Returns an adapter whose server sends these responses one after another, and then repeats the
/// last response.
pub async fn exchange_with_responses(responses: Vec<Vec<u8>>) -> S3ExchangeStore {
    let url = serve(move |index, _| {
        let response = responses[index.min(responses.len() - 1)].clone();
        async move { (response, AfterResponse::Close) }
    })
    .await;
    exchange(url)
}

/// Returns an adapter for the server at `url`.
fn exchange(url: String) -> S3ExchangeStore {
    let settings = S3Settings {
        region: "us-east-1".into(),
        endpoint_url: Some(url),
        path_style: true,
        access_key_id: "test".into(),
        secret_access_key: "test".into(),
        stall: Duration::from_secs(1),
    };
    S3ExchangeStore::new(client(&settings), "exchange")
}
