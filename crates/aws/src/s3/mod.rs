//! Adapter for the exchange bucket, on AWS S3 or any S3-compatible store.

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

use failure::{status, translate, unavailable, unexpected};

pub use client::{S3Settings, client};

/// Exchange bucket: implements [`ExchangeStore`] on S3.
#[derive(Debug, Clone)]
pub struct S3ExchangeStore {
    client: Client,
    bucket: String,
}

impl S3ExchangeStore {
    /// Creates the adapter for `bucket`. Build the client with [`client()`]: this type relies on
    /// its timeouts and its checksum settings.
    ///
    /// Besides the permissions on objects, the key pair needs `s3:ListBucket`: without it the
    /// store responds with 403 instead of 404 for an object that has not arrived yet.
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
            // A missing bucket is a configuration fault and must not be reported as a missing
            // object.
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
            Err(error) => return Err(translate(CALL, &error)),
        };
        let size = head.content_length.and_then(|length| u64::try_from(length).ok());
        let written = head.last_modified.and_then(|at| Timestamp::from_second(at.secs()).ok());
        match (size, head.e_tag, written) {
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
                // Neither status proves that the object has changed: a store may check the
                // range before the ETag (416), or compare ETags in another form (412). So the
                // object's current ETag decides.
                Some(rejected @ (412 | 416)) => {
                    self.require_tag(key, etag).await?;
                    if rejected == 416 {
                        return Err(ExchangeError::Gone);
                    }
                    // The ETag is unchanged: the store cannot match this form of it, so read
                    // without the condition and compare the ETag of the response below.
                    let unconditional = Box::pin(request().send()).await;
                    let response = unconditional.map_err(|error| translate(CALL, &error))?;
                    if response.e_tag().is_none() {
                        return Err(unexpected(CALL, "the response has no ETag"));
                    }
                    response
                }
                _ => return Err(translate(CALL, &error)),
            },
        };
        // Some stores ignore `If-Match` on reads.
        if response.e_tag().is_some_and(|current| !tag::same(current, etag)) {
            return Err(ExchangeError::Changed);
        }
        let given = body::response_range(response.content_range(), response.content_length());
        match given {
            Some(given) if given == range => {
                Ok(body::exactly(response.body, range.end - range.start))
            }
            // The same object, but it ends before the range does.
            Some(given) if given.start == range.start && given.end < range.end => {
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
            Err(error) => match translate(CALL, &error) {
                ExchangeError::Gone => Ok(()),
                other => Err(other),
            },
        }
    }
}
