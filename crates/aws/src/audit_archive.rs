//! Archive of the audit trail in an S3 bucket. The bucket's default retention locks new objects, if
//! it has one.

use aws_sdk_s3::Client;
use bytes::Bytes;
use docferry_app::ports::{ArchiveError, AuditArchive};

use crate::Fault;

/// [`AuditArchive`] on S3.
#[derive(Debug, Clone)]
pub struct S3AuditArchive {
    client: Client,
    bucket: String,
}

impl S3AuditArchive {
    /// Creates the adapter for `bucket`. Writers need `s3:PutObject`; readers need `s3:ListBucket`
    /// and `s3:GetObject`.
    #[must_use]
    pub fn new(client: Client, bucket: impl Into<String>) -> Self {
        Self { client, bucket: bucket.into() }
    }
}

impl AuditArchive for S3AuditArchive {
    async fn write(&self, key: &str, content: Bytes) -> Result<(), ArchiveError> {
        let request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type("application/x-ndjson")
            .body(content.into());
        match Box::pin(request.send()).await {
            Ok(_) => Ok(()),
            Err(error) => Err(failure(Fault::of("S3 PutObject", &error))),
        }
    }

    async fn list(
        &self,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<String>, ArchiveError> {
        let request = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(prefix)
            .start_after(after)
            .max_keys(i32::try_from(limit).unwrap_or(i32::MAX));
        match Box::pin(request.send()).await {
            Ok(page) => {
                let objects = page.contents.unwrap_or_default();
                Ok(objects.into_iter().filter_map(|object| object.key).collect())
            }
            Err(error) => Err(failure(Fault::of("S3 ListObjectsV2", &error))),
        }
    }

    async fn read(&self, key: &str) -> Result<Bytes, ArchiveError> {
        const CALL: &str = "S3 GetObject";
        let request = self.client.get_object().bucket(&self.bucket).key(key);
        let response = match Box::pin(request.send()).await {
            Ok(response) => response,
            Err(error) => return Err(failure(Fault::of(CALL, &error))),
        };
        let body = response.body.collect().await;
        let body = body.map_err(|_| failure(Fault::new(CALL, "the body was cut off")))?;
        Ok(body.into_bytes())
    }
}

fn failure(fault: Fault) -> ArchiveError {
    ArchiveError(Box::new(fault))
}
