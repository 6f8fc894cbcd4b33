//! Adapter for the exchange bucket, on AWS S3 or any S3-compatible store.
//!
//! The document source writes documents into this bucket, and docferry reads and deletes them. The
//! *ETag* identifies one version of an object: an object that is written again gets another ETag.
//! A read names the ETag that it expects, so that it never returns bytes of another version.

mod body;
mod client;
mod date;
mod failure;
mod tag;

use std::ops::Range;

use aws_sdk_s3::Client;
use docferry_app::ports::{ByteStream, ExchangeError, ExchangeStore};
use docferry_domain::transfer::ObjectHead;
use jiff::Timestamp;

use failure::{object_error, status, unavailable, unexpected};

pub use client::{S3Settings, client};

/// HTTP status: the object does not have the expected ETag.
const PRECONDITION_FAILED: u16 = 412;

/// HTTP status: the object ends before the range begins.
const RANGE_NOT_SATISFIABLE: u16 = 416;

/// Exchange bucket: implements [`ExchangeStore`] on S3.
#[derive(Debug, Clone)]
pub struct S3ExchangeStore {
    client: Client,
    bucket: String,
}

impl S3ExchangeStore {
    /// Creates the adapter for `bucket`. Create `client` with the function [`client()`], because
    /// this type relies on its timeouts and checksum settings.
    ///
    /// Besides the permissions on objects, the key pair needs `s3:ListBucket`. Without it the store
    /// responds with 403 instead of 404 for an object that has not arrived yet.
    #[must_use]
    pub fn new(client: Client, bucket: impl Into<String>) -> Self {
        Self { client, bucket: bucket.into() }
    }
}

impl S3ExchangeStore {
    /// Fails unless the object exists and has this ETag.
    async fn require_tag(&self, key: &str, etag: &str) -> Result<(), ExchangeError> {
        match self.head(key).await? {
            Some(head) if tag::same(&head.etag, etag) => Ok(()),
            Some(_) => Err(ExchangeError::Changed),
            None => Err(ExchangeError::Gone),
        }
    }
}

impl ExchangeStore for S3ExchangeStore {
    /// Reads the `Date` header of a HEAD request for the bucket.
    async fn store_time(&self) -> Result<Timestamp, ExchangeError> {
        const CALL: &str = "S3 HeadBucket";
        let date = date::DateHeader::default();
        let request = self.client.head_bucket().bucket(&self.bucket).customize();
        Box::pin(request.interceptor(date.clone()).send())
            .await
            // A missing bucket is a wrong configuration. It must not be reported as a missing
            // object, as `object_error` would do.
            .map_err(|error| match status(&error) {
                Some(401 | 403) => ExchangeError::Unauthorized,
                _ => unavailable(CALL, &error),
            })?;
        date.time().ok_or_else(|| unexpected(CALL, "the response has no valid Date header"))
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectHead>, ExchangeError> {
        const CALL: &str = "S3 HeadObject";
        let request = self.client.head_object().bucket(&self.bucket).key(key);
        let head = match Box::pin(request.send()).await {
            Ok(head) => head,
            Err(error) if status(&error) == Some(404) => return Ok(None),
            Err(error) => return Err(object_error(CALL, &error)),
        };
        let size = head.content_length.and_then(|length| u64::try_from(length).ok());
        let last_modified =
            head.last_modified.and_then(|at| Timestamp::from_second(at.secs()).ok());
        match (size, head.e_tag, last_modified) {
            (Some(size), Some(etag), Some(last_modified)) => {
                Ok(Some(ObjectHead { size, etag, last_modified }))
            }
            _ => Err(unexpected(CALL, "the response lacks size, ETag or modification time")),
        }
    }

    async fn read(
        &self,
        key: &str,
        etag: &str,
        range: Range<u64>,
    ) -> Result<ByteStream, ExchangeError> {
        const CALL: &str = "S3 GetObject";
        let Some(last) = range.end.checked_sub(1).filter(|last| *last >= range.start) else {
            return Err(unexpected(CALL, "the range is empty"));
        };
        let request = || {
            let request = self.client.get_object().bucket(&self.bucket).key(key);
            request.range(format!("bytes={}-{last}", range.start))
        };
        let response = match Box::pin(request().if_match(tag::strong(etag)).send()).await {
            Ok(response) => response,
            Err(error) => match status(&error) {
                // Neither status proves that the object has changed. A store may check the range
                // before the ETag (416), or compare the ETag in another form (412). The current
                // ETag of the object is therefore read.
                Some(rejection @ (PRECONDITION_FAILED | RANGE_NOT_SATISFIABLE)) => {
                    self.require_tag(key, etag).await?;
                    if rejection == RANGE_NOT_SATISFIABLE {
                        return Err(ExchangeError::Gone);
                    }
                    // The ETag is unchanged, so the store cannot compare this form of the ETag. The
                    // object is read without the condition, and the ETag of the response is
                    // compared below.
                    let unconditional = Box::pin(request().send()).await;
                    let response = unconditional.map_err(|error| object_error(CALL, &error))?;
                    if response.e_tag().is_none() {
                        return Err(unexpected(CALL, "the response has no ETag"));
                    }
                    response
                }
                _ => return Err(object_error(CALL, &error)),
            },
        };
        // Some stores ignore `If-Match` on reads, so the ETag of the response is compared too.
        if response.e_tag().is_some_and(|current| !tag::same(current, etag)) {
            return Err(ExchangeError::Changed);
        }
        match body::response_range(response.content_range(), response.content_length()) {
            Some(received) if received == range => {
                Ok(body::with_exact_length(response.body, range.end - range.start))
            }
            // The object ends before the end of the range.
            Some(received) if received.start == range.start && received.end < range.end => {
                Err(ExchangeError::Gone)
            }
            _ => Err(unexpected(CALL, "the response is not the requested range")),
        }
    }

    async fn delete(&self, key: &str) -> Result<(), ExchangeError> {
        const CALL: &str = "S3 DeleteObject";
        let request = self.client.delete_object().bucket(&self.bucket).key(key);
        match Box::pin(request.send()).await {
            Ok(_) => Ok(()),
            Err(error) => match object_error(CALL, &error) {
                ExchangeError::Gone => Ok(()),
                other => Err(other),
            },
        }
    }
}
