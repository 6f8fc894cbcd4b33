//! The exchange bucket, on AWS or on any store that speaks its protocol.

mod body;
mod client;
mod date;
mod tag;

use std::ops::Range;

use aws_sdk_s3::Client;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use docferry_app::ports::{ByteStream, Staging, StagingError};
use docferry_domain::ObjectHead;
use jiff::Timestamp;

use crate::Fault;

pub use client::{S3Settings, client};

/// The [`Staging`] on S3.
#[derive(Debug, Clone)]
pub struct S3Staging {
    client: Client,
    bucket: String,
}

impl S3Staging {
    /// The staging store in `bucket`. Build the client with [`client()`]: its
    /// limits and its handling of checksums are part of what this type promises.
    ///
    /// The key pair needs `s3:ListBucket` beside the rights on objects: without
    /// it the store answers 403 for an object that has not arrived yet.
    #[must_use]
    pub fn new(client: Client, bucket: impl Into<String>) -> Self {
        Self { client, bucket: bucket.into() }
    }
}

impl S3Staging {
    /// Fails unless the object is there and has this tag.
    async fn require_tag(&self, key: &str, etag: &str) -> Result<(), StagingError> {
        match self.head(key).await? {
            Some(head) if tag::same(&head.etag, etag) => Ok(()),
            Some(_) => Err(StagingError::Changed),
            None => Err(StagingError::Gone),
        }
    }
}

impl Staging for S3Staging {
    /// From the `Date` header of a HEAD of the bucket.
    async fn store_time(&self) -> Result<Timestamp, StagingError> {
        const CALL: &str = "S3 HeadBucket";
        let date = date::DateHeader::default();
        let request = self.client.head_bucket().bucket(&self.bucket).customize();
        Box::pin(request.interceptor(date.clone()).send())
            .await
            // A bucket that is missing is a fault of the configuration, not an
            // object that is gone.
            .map_err(|error| match status(&error) {
                Some(401 | 403) => StagingError::Unauthorized,
                _ => unavailable(CALL, &error),
            })?;
        date.time().ok_or_else(|| broken(CALL, "the answer has no date"))
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectHead>, StagingError> {
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
            _ => Err(broken(CALL, "the answer lacks size, tag or time")),
        }
    }

    async fn read(
        &self,
        key: &str,
        etag: &str,
        range: Range<u64>,
    ) -> Result<ByteStream, StagingError> {
        const CALL: &str = "S3 GetObject";
        let Some(last) = range.end.checked_sub(1).filter(|last| *last >= range.start) else {
            return Err(broken(CALL, "the range is empty"));
        };
        let request = || {
            let request = self.client.get_object().bucket(&self.bucket).key(key);
            request.range(format!("bytes={}-{last}", range.start))
        };
        let answer = match Box::pin(request().if_match(tag::strong(etag)).send()).await {
            Ok(answer) => answer,
            Err(error) => match status(&error) {
                // A store may look at the range first, and some compare the tag in another
                // form: only the object's own tag tells what has happened.
                Some(refused @ (412 | 416)) => {
                    self.require_tag(key, etag).await?;
                    if refused == 416 {
                        return Err(StagingError::Gone);
                    }
                    let again = Box::pin(request().send()).await;
                    let answer = again.map_err(|error| translate(CALL, &error))?;
                    if answer.e_tag().is_none() {
                        return Err(broken(CALL, "the answer has no tag"));
                    }
                    answer
                }
                _ => return Err(translate(CALL, &error)),
            },
        };
        // For stores that do not compare tags on a read.
        if answer.e_tag().is_some_and(|current| !tag::same(current, etag)) {
            return Err(StagingError::Changed);
        }
        let given = body::given_range(answer.content_range(), answer.content_length());
        match given {
            Some(given) if given == range => {
                Ok(body::exactly(answer.body, range.end - range.start))
            }
            // The same object, yet it ends before the range does.
            Some(given) if given.start == range.start && given.end < range.end => {
                Err(StagingError::Gone)
            }
            _ => Err(broken(CALL, "the answer is not the range that was asked for")),
        }
    }

    async fn delete(&self, key: &str) -> Result<(), StagingError> {
        const CALL: &str = "S3 DeleteObject";
        let request = self.client.delete_object().bucket(&self.bucket).key(key);
        match Box::pin(request.send()).await {
            Ok(_) => Ok(()),
            Err(error) => match translate(CALL, &error) {
                StagingError::Gone => Ok(()),
                other => Err(other),
            },
        }
    }
}

/// Status → meaning, for calls about an object. The status and not the code,
/// because an answer to HEAD has no body to carry a code.
fn translate<E: ProvideErrorMetadata>(
    call: &'static str,
    error: &SdkError<E, HttpResponse>,
) -> StagingError {
    match status(error) {
        Some(404) if error.code() == Some("NoSuchBucket") => unavailable(call, error),
        // 416: the object ends before the range begins.
        Some(404 | 416) => StagingError::Gone,
        Some(412) => StagingError::Changed,
        Some(401 | 403) => StagingError::Unauthorized,
        _ => unavailable(call, error),
    }
}

fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

fn unavailable<E: ProvideErrorMetadata>(
    call: &'static str,
    error: &SdkError<E, HttpResponse>,
) -> StagingError {
    StagingError::Unavailable(Box::new(Fault::of(call, error)))
}

fn broken(call: &'static str, reason: &'static str) -> StagingError {
    StagingError::Unavailable(Box::new(Fault::new(call, reason)))
}
