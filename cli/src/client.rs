//! HTTP client of docferry's public API: the calls for transfers, and the parts that all calls
//! share.
//!
//! A transfer delivers one document to one person's OneDrive. The calls for jobs, which make
//! documents available for download, are in `downloads.rs`. The module `watch` polls until a
//! transfer or job ends.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use url::Url;

use crate::auth::{Credentials, Signer};
use crate::error::ClientError;
use crate::http::http_for;
use crate::response::BufferedResponse;
use crate::token_source::TokenUse;
use crate::wire::{Accepted, NewTransfer, Terminate, TerminateAccepted, TransferStatus};

/// Timeout of a request. It is longer than API Gateway's own timeout of 29 s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(35);

/// Result of a poll: a status document `S`, and the pause before the next poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Polled<S = TransferStatus> {
    /// The status document.
    pub status: S,
    /// The pause that the service asked for in `Retry-After`, if any.
    pub retry_after: Option<Duration>,
}

/// A client of one docferry deployment.
///
/// The client sends each call once. The caller decides whether to retry (see
/// [`ClientError::is_transient`] and [`ClientError::had_no_effect`]). Clones are cheap and share
/// the connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    /// Address of the API, to which the paths of calls are appended.
    base: Url,
    signer: Signer,
}

impl Client {
    /// Maximum number of ids that this client sends in one terminate request.
    const MAX_IDS_PER_TERMINATE: usize = 100;

    /// Creates a client for the API at `base`. The address includes the stage, such as `prod`.
    ///
    /// Redirects are not followed, so that credentials are sent to the given address only.
    /// Requests to a loopback address never use a proxy.
    ///
    /// # Errors
    /// [`ClientError::BaseUrl`] when `base` is not a plain HTTP address, and
    /// [`ClientError::TokenUrl`] when the address of the token endpoint is not usable.
    pub fn new(base: &str, credentials: Credentials) -> Result<Self, ClientError> {
        let base = parse_base(base)?;
        let build_http = |url: &Url| Ok(http_for(url).timeout(REQUEST_TIMEOUT).build()?);
        Ok(Self { http: build_http(&base)?, signer: Signer::new(credentials, build_http)?, base })
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
        self.request_document(request).await
    }

    /// Like [`Client::upload`], with an `Idempotency-Key`: repeating the call with the same
    /// key and transfer returns the first response and creates no second transfer.
    ///
    /// # Errors
    /// [`ClientError::Rejected`] with status 409 while the first call with that key is
    /// still being recorded, and with 422 when the key was used for another transfer. All other
    /// errors are those of [`Client::upload`].
    pub async fn upload_once(
        &self,
        transfer: &NewTransfer,
        idempotency_key: &str,
    ) -> Result<Accepted, ClientError> {
        let request = self.request(Method::POST, &["document", "upload"])?;
        let request = request.header("Idempotency-Key", idempotency_key);
        self.request_document(request.json(transfer)).await
    }

    /// Returns the status of a transfer.
    ///
    /// # Errors
    /// [`ClientError::NotFound`] when the id is unknown or expired. See [`ClientError`] for all
    /// other errors.
    pub async fn status(&self, transfer_id: &str) -> Result<TransferStatus, ClientError> {
        Ok(self.poll(transfer_id).await?.status)
    }

    /// Like [`Client::status`], with the pause that the service asks for.
    ///
    /// # Errors
    /// The errors of [`Client::status`].
    pub async fn poll(&self, transfer_id: &str) -> Result<Polled, ClientError> {
        let request = self.request(Method::GET, &["document", "status", transfer_id])?;
        self.request_status(request).await
    }

    /// Requests the cancellation of transfers. The call is idempotent.
    ///
    /// Success means only that the request was accepted. The service ignores unknown ids and
    /// transfers that have ended. A document that is already complete stays. Poll the status of a
    /// transfer to learn its outcome.
    ///
    /// # Errors
    /// See [`ClientError`]. More than 100 ids are sent in several requests, so some ids may have
    /// been accepted before the error.
    pub async fn terminate(&self, transfer_ids: &[String]) -> Result<(), ClientError> {
        for transfer_ids in transfer_ids.chunks(Self::MAX_IDS_PER_TERMINATE) {
            let request = self.request(Method::POST, &["document", "terminate"])?;
            // The response is parsed only to refuse one that is not docferry's.
            let _accepted: TerminateAccepted =
                self.request_document(request.json(&Terminate { transfer_ids })).await?;
        }
        Ok(())
    }

    /// Builds a request to the API, without credentials. Each element of `path` is encoded as one
    /// segment of the URL.
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

    /// Sends a request and parses the document of a successful response.
    pub(crate) async fn request_document<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<T, ClientError> {
        self.send(request).await?.into_document()
    }

    /// Sends a request for a status document. Returns the document and the pause from
    /// `Retry-After`.
    pub(crate) async fn request_status<S: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<Polled<S>, ClientError> {
        let response = self.send(request).await?;
        let retry_after = response.retry_after;
        Ok(Polled { status: response.into_document()?, retry_after })
    }

    /// Sends a request with credentials and returns the response, whatever its status.
    ///
    /// If the service responds with 401 and the credentials can be renewed, the client requests a
    /// new access token and sends the request once more.
    pub(crate) async fn send(
        &self,
        request: RequestBuilder,
    ) -> Result<BufferedResponse, ClientError> {
        let repeated_request = request.try_clone().filter(|_| self.signer.can_renew());
        let signed_request = self.signer.sign(request, TokenUse::Cached).await?;
        let response = BufferedResponse::read(signed_request.send().await?).await?;
        match repeated_request {
            // The token may have been revoked. The refused request had no effect, so it is safe to
            // repeat it.
            Some(repeated_request) if response.status == StatusCode::UNAUTHORIZED => {
                let signed_request = self.signer.sign(repeated_request, TokenUse::Renewed).await?;
                BufferedResponse::read(signed_request.send().await?).await
            }
            _ => Ok(response),
        }
    }
}

/// Parses the address of the API.
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
        let credentials = Credentials::Account { username: "u".into(), password: "hunter2".into() };
        let client = Client::new("http://localhost/", credentials).unwrap();
        assert!(!format!("{client:?}").contains("hunter2"));
    }
}
