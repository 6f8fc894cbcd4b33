//! HTTP client of the public API.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use url::Url;

use crate::auth::{Credentials, Signer};
use crate::error::ClientError;
use crate::http::http_for;
use crate::response::BufferedResponse;
use crate::wire::{Accepted, NewTransfer, Terminate, TerminateAccepted, TransferStatus};

/// Longer than API Gateway's own timeout of 29 s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(35);
/// A status document, and the pause before the next poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Polled<S = TransferStatus> {
    /// The status document.
    pub status: S,
    /// The pause that the service asked for in `Retry-After`, if any.
    pub retry_after: Option<Duration>,
}

/// A client of one docferry deployment.
///
/// Sends each call once and does not retry. The caller decides whether to retry (see
/// [`ClientError::is_transient`] and [`ClientError::had_no_effect`]).
/// Cloning is cheap and shares the connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    signer: Signer,
}

impl Client {
    /// Maximum number of ids that the service accepts in one terminate request.
    const MAX_IDS_PER_TERMINATE: usize = 100;

    /// Creates a client for the API at `base`, which includes the stage.
    ///
    /// Redirects are not followed, so that credentials are sent to the given address only.
    /// Requests to a loopback address never use a proxy.
    ///
    /// # Errors
    /// [`ClientError::BaseUrl`] when `base` is not a plain HTTP address, and
    /// [`ClientError::TokenUrl`] when the address of the token endpoint is not usable.
    pub fn new(base: &str, credentials: Credentials) -> Result<Self, ClientError> {
        let base = parse_base(base)?;
        let http = |url: &Url| Ok(http_for(url).timeout(REQUEST_TIMEOUT).build()?);
        Ok(Self { http: http(&base)?, signer: Signer::new(credentials, http)?, base })
    }

    /// Starts a transfer of one document to one person.
    ///
    /// The call is not idempotent: two calls create two transfers. Use
    /// [`Client::upload_once`] when the call may be repeated.
    ///
    /// # Errors
    /// See [`ClientError`]. If [`ClientError::may_have_taken_effect`] is true, the transfer
    /// may have been created, and its id is unknown.
    pub async fn upload(&self, transfer: &NewTransfer) -> Result<Accepted, ClientError> {
        let request = self.request(Method::POST, &["document", "upload"])?.json(transfer);
        Ok(self.exchange(request).await?.0)
    }

    /// Like [`Client::upload`], with an `Idempotency-Key`: repeating the call with the same
    /// key and transfer returns the first response and creates no second transfer.
    ///
    /// # Errors
    /// [`ClientError::Rejected`] with status 409 while the first call with that key is
    /// still being recorded, and with 422 when the key was used for another transfer.
    /// Otherwise as [`Client::upload`].
    pub async fn upload_once(
        &self,
        transfer: &NewTransfer,
        key: &str,
    ) -> Result<Accepted, ClientError> {
        let request = self.request(Method::POST, &["document", "upload"])?;
        Ok(self.exchange(request.header("Idempotency-Key", key).json(transfer)).await?.0)
    }

    /// Returns the status of a transfer.
    ///
    /// # Errors
    /// [`ClientError::NotFound`] when the id is unknown or expired; otherwise see
    /// [`ClientError`].
    pub async fn status(&self, transfer_id: &str) -> Result<TransferStatus, ClientError> {
        Ok(self.poll(transfer_id).await?.status)
    }

    /// Like [`Client::status`], with the pause that the service asks for.
    ///
    /// # Errors
    /// As [`Client::status`].
    pub async fn poll(&self, transfer_id: &str) -> Result<Polled, ClientError> {
        let request = self.request(Method::GET, &["document", "status", transfer_id])?;
        let (status, retry_after) = self.exchange(request).await?;
        Ok(Polled { status, retry_after })
    }

    /// Requests the cancellation of transfers. The call is idempotent.
    ///
    /// Success means only that the request was accepted. The service ignores ids that are
    /// unknown or have ended, and a document that is already complete stays. Poll the
    /// status of a transfer to learn its outcome.
    ///
    /// # Errors
    /// See [`ClientError`]. The ids are sent in several requests, so some of them may have
    /// been accepted before the error.
    pub async fn terminate(&self, transfer_ids: &[String]) -> Result<(), ClientError> {
        for transfer_ids in transfer_ids.chunks(Self::MAX_IDS_PER_TERMINATE) {
            let request = self.request(Method::POST, &["document", "terminate"])?;
            let _accepted: (TerminateAccepted, _) =
                self.exchange(request.json(&Terminate { transfer_ids })).await?;
        }
        Ok(())
    }

    pub(crate) fn request(
        &self,
        method: Method,
        path: &[&str],
    ) -> Result<RequestBuilder, ClientError> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| ClientError::BaseUrl { reason: "it cannot have a path".into() })?
            .pop_if_empty()
            .extend(path);
        Ok(self.http.request(method, url))
    }

    /// Sends a request and parses the document of a successful response. Also returns the
    /// pause from `Retry-After`, if any.
    pub(crate) async fn exchange<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<(T, Option<Duration>), ClientError> {
        let response = self.send(request).await?;
        let retry_after = response.retry_after;
        Ok((response.into_document()?, retry_after))
    }

    /// Sends a request with credentials and returns the response, whatever its status.
    ///
    /// After a 401 it requests a new access token and sends the request once more, if the
    /// credentials can be renewed.
    pub(crate) async fn send(
        &self,
        request: RequestBuilder,
    ) -> Result<BufferedResponse, ClientError> {
        let second_try = request.try_clone().filter(|_| self.signer.can_renew());
        let request = self.signer.sign(request, false).await?;
        let response = BufferedResponse::read(request.send().await?).await?;
        match second_try {
            // The token may have been revoked. A call that was refused had no effect.
            Some(request) if response.status == StatusCode::UNAUTHORIZED => {
                let request = self.signer.sign(request, true).await?;
                BufferedResponse::read(request.send().await?).await
            }
            _ => Ok(response),
        }
    }
}

fn parse_base(base: &str) -> Result<Url, ClientError> {
    let refuse = |reason: &str| ClientError::BaseUrl { reason: reason.into() };
    let url = Url::parse(base).map_err(|error| refuse(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refuse("it must begin with https:// (or http://)"));
    }
    // Credentials in an address end up in process lists and error messages.
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("it must not contain a user name or password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("it must not contain a query or a fragment"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(password: &str) -> Credentials {
        Credentials::Account { username: "u".into(), password: password.into() }
    }

    #[test]
    fn api_addresses_with_credentials_or_query_are_refused() {
        for bad in ["ftp://x/", "nonsense", "http://u:p@host/", "http://host/?a=1", "http://h/#f"] {
            let error = parse_base(bad).unwrap_err();
            assert!(matches!(error, ClientError::BaseUrl { .. }), "{bad}");
            assert!(!error.to_string().contains("u:p"), "{error}");
        }
    }

    #[test]
    fn transfer_id_is_encoded_as_one_path_segment() {
        let credentials = Credentials::Token("p".into());
        for base in ["http://localhost:4566/_aws/execute-api/a1/local", "http://h/local/"] {
            let client = Client::new(base, credentials.clone()).unwrap();
            let request = client.request(Method::GET, &["document", "status", "a/b#c"]).unwrap();
            let url = request.build().unwrap().url().to_string();
            assert!(url.ends_with("/local/document/status/a%2Fb%23c"), "{url}");
        }
    }

    #[test]
    fn debug_output_of_the_client_shows_no_password() {
        let credentials = account("hunter2");
        let client = Client::new("http://localhost/", credentials).unwrap();
        assert!(!format!("{client:?}").contains("hunter2"));
    }
}
