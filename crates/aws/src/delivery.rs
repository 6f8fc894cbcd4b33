//! Adapter for the delivery bucket: the S3 bucket from which callers download documents.
//!
//! A download job copies a document into this bucket as an *artifact*. A large document is copied
//! with a *multipart upload*: its parts are stored one by one and then become one object. The
//! caller fetches the artifact with a *presigned URL*: a link that contains a signature and an
//! expiry, so that its user needs no AWS credentials.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart, MultipartUpload,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use bytes::Bytes;
use docferry_app::ports::{
    ArtifactError, Artifacts, ObjectChecksum, OpenUpload, PresignedUrl, Presigner, StorageProbe,
    StoredPart, Verification,
};
use docferry_domain::document::{Crc32, DocumentName};
use docferry_domain::text::media_type;
use jiff::{SignedDuration, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::Fault;

/// Time in which a connection is established.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Time limit of one attempt to send a part of a few megabytes over a slow connection, or to
/// complete an upload, which S3 may work on for a while.
const LONG_CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Checksum algorithm of uploaded parts. The multipart upload must be created with the same one.
const PART_CHECKSUM: ChecksumAlgorithm = ChecksumAlgorithm::Crc32;

/// Prefix that health checks list. No key in the bucket begins with it, so a role that may list
/// only this prefix cannot see any key.
const PROBE_PREFIX: &str = "health/";

/// Delivery bucket on S3: implements [`Artifacts`], [`Presigner`] and [`StorageProbe`].
#[derive(Debug, Clone)]
pub struct S3Artifacts {
    client: Client,
    /// Credentials of `client`. Their expiry limits the validity of presigned URLs.
    credentials: Option<SharedCredentialsProvider>,
    bucket: String,
}

impl S3Artifacts {
    /// Creates the adapter for `bucket`.
    ///
    /// `credentials` must be the credentials that `client` signs with, because a presigned URL
    /// stops working when these credentials expire.
    ///
    /// The credentials need `s3:ListBucket` and `s3:ListBucketMultipartUploads` on the bucket. On
    /// its objects they need the permissions to write, list parts, abort and delete. They do not
    /// need the permission to read objects.
    #[must_use]
    pub fn new(
        client: Client,
        credentials: Option<SharedCredentialsProvider>,
        bucket: impl Into<String>,
    ) -> Self {
        Self { client, credentials, bucket: bucket.into() }
    }

    /// Returns how long a URL that is signed at `now` is valid. The result is the shorter one of
    /// the requested duration and the remaining lifetime of the credentials, but at least one
    /// second.
    async fn url_lifetime(
        &self,
        now: SystemTime,
        requested: SignedDuration,
    ) -> Result<Duration, ArtifactError> {
        const CALL: &str = "credentials";
        let requested = Duration::try_from(requested).unwrap_or_default();
        let provider =
            self.credentials.as_ref().ok_or_else(|| unexpected(CALL, "there is no provider"))?;
        let credentials = provider
            .provide_credentials()
            .await
            .map_err(|_| unexpected(CALL, "they could not be loaded"))?;
        let remaining = credentials.expiry().map(|end| end.duration_since(now).unwrap_or_default());
        let lifetime = remaining.map_or(requested, |remaining| remaining.min(requested));
        Ok(lifetime.max(Duration::from_secs(1)))
    }

    /// Lists the unfinished multipart uploads of `key`, the oldest first.
    async fn unfinished_uploads(&self, key: &str) -> Result<Vec<MultipartUpload>, ArtifactError> {
        let request = self.client.list_multipart_uploads().bucket(&self.bucket).prefix(key);
        let response = Box::pin(request.send())
            .await
            .map_err(|error| unavailable("S3 ListMultipartUploads", &error))?;
        let mut uploads = response.uploads.unwrap_or_default();
        // The listing also contains longer keys that begin with `key`.
        uploads.retain(|upload| upload.key() == Some(key) && upload.upload_id().is_some());
        uploads
            .sort_by_key(|upload| upload.initiated().map(aws_sdk_s3::primitives::DateTime::secs));
        Ok(uploads)
    }

    /// Lists the parts that the bucket has stored for a multipart upload.
    async fn stored_parts(
        &self,
        key: &str,
        upload_id: &str,
    ) -> Result<Vec<StoredPart>, ArtifactError> {
        const CALL: &str = "S3 ListParts";
        let request = self.client.list_parts().bucket(&self.bucket).key(key).upload_id(upload_id);
        let mut pages = request.into_paginator().items().send();
        let mut parts = Vec::new();
        while let Some(part) = pages.next().await {
            let part = part.map_err(|error| upload_error(CALL, &error))?;
            let number = part.part_number().and_then(|number| u32::try_from(number).ok());
            let size = part.size().and_then(|size| u64::try_from(size).ok());
            if let (Some(number), Some(size), Some(etag)) = (number, size, part.e_tag) {
                let crc32 = part.checksum_crc32.as_deref().and_then(Crc32::from_base64);
                parts.push(StoredPart { number, size, etag, crc32 });
            }
        }
        Ok(parts)
    }
}

impl Artifacts for S3Artifacts {
    async fn put(
        &self,
        key: &str,
        mime: Option<&str>,
        bytes: Bytes,
        crc32: Crc32,
    ) -> Result<(), ArtifactError> {
        let request = self.client.put_object().bucket(&self.bucket).key(key);
        let request = request.checksum_crc32(crc32.to_base64());
        let request = request.set_content_type(mime.map(header_media_type)).body(bytes.into());
        match Box::pin(request.customize().config_override(long_call()).send()).await {
            Ok(_) => Ok(()),
            Err(error) => Err(unavailable("S3 PutObject", &error)),
        }
    }

    async fn open_upload(&self, key: &str) -> Result<Option<OpenUpload>, ArtifactError> {
        for upload in self.unfinished_uploads(key).await? {
            let verification = verification(upload.checksum_type.as_ref());
            let id = upload.upload_id.unwrap_or_default();
            match self.stored_parts(key, &id).await {
                Ok(parts) => return Ok(Some(OpenUpload { id, verification, parts })),
                // The upload was completed or aborted after it was listed.
                Err(ArtifactError::UploadGone) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    async fn begin(&self, key: &str, mime: Option<&str>) -> Result<OpenUpload, ArtifactError> {
        const CALL: &str = "S3 CreateMultipartUpload";
        let request = self.client.create_multipart_upload().bucket(&self.bucket).key(key);
        // S3 rejects a part whose checksum algorithm differs from that of the upload. With the type
        // FULL_OBJECT, it verifies the checksum of the whole object on completion.
        // Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>.
        let request = request.checksum_algorithm(PART_CHECKSUM);
        let request = request.checksum_type(ChecksumType::FullObject);
        let request = request.set_content_type(mime.map(header_media_type));
        let response = Box::pin(request.send()).await.map_err(|error| unavailable(CALL, &error))?;
        let verification = verification(response.checksum_type.as_ref());
        let id = response.upload_id;
        let id = id.ok_or_else(|| unexpected(CALL, "the response has no upload id"))?;
        Ok(OpenUpload { id, verification, parts: Vec::new() })
    }

    async fn put_part(
        &self,
        key: &str,
        upload_id: &str,
        number: u32,
        bytes: Bytes,
        crc32: Crc32,
    ) -> Result<StoredPart, ArtifactError> {
        const CALL: &str = "S3 UploadPart";
        let size = bytes.len() as u64;
        let request = self
            .client
            .upload_part()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload_id)
            .part_number(i32::try_from(number).unwrap_or(i32::MAX))
            .checksum_crc32(crc32.to_base64())
            .body(bytes.into());
        let response = Box::pin(request.customize().config_override(long_call()).send())
            .await
            .map_err(|error| upload_error(CALL, &error))?;
        let etag = response.e_tag.ok_or_else(|| unexpected(CALL, "the response has no ETag"))?;
        Ok(StoredPart { number, size, etag, crc32: Some(crc32) })
    }

    async fn complete(
        &self,
        key: &str,
        upload_id: &str,
        parts: &[StoredPart],
        whole: Option<ObjectChecksum>,
    ) -> Result<(), ArtifactError> {
        let completed_part = |part: &StoredPart| {
            let number = i32::try_from(part.number).unwrap_or(i32::MAX);
            let builder = CompletedPart::builder().part_number(number).e_tag(&part.etag);
            builder.set_checksum_crc32(part.crc32.map(Crc32::to_base64)).build()
        };
        let completed_parts = parts.iter().map(completed_part).collect();
        let parts = CompletedMultipartUpload::builder().set_parts(Some(completed_parts)).build();
        let request = self.client.complete_multipart_upload().bucket(&self.bucket).key(key);
        let mut request = request.upload_id(upload_id).multipart_upload(parts);
        if let Some(ObjectChecksum { size, crc32 }) = whole {
            request = request
                .checksum_type(ChecksumType::FullObject)
                .checksum_crc32(crc32.to_base64())
                .mpu_object_size(i64::try_from(size).unwrap_or(i64::MAX));
        }
        match Box::pin(request.customize().config_override(long_call()).send()).await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some("BadDigest") => Err(ArtifactError::Corrupt),
            Err(error) => Err(upload_error("S3 CompleteMultipartUpload", &error)),
        }
    }

    async fn abort(&self, key: &str) -> Result<(), ArtifactError> {
        for upload in self.unfinished_uploads(key).await? {
            let request = self.client.abort_multipart_upload().bucket(&self.bucket).key(key);
            match Box::pin(request.set_upload_id(upload.upload_id).send()).await {
                Ok(_) => {}
                Err(error) => match upload_error("S3 AbortMultipartUpload", &error) {
                    ArtifactError::UploadGone => {}
                    error => return Err(error),
                },
            }
        }
        Ok(())
    }

    /// Uses a listing, because HEAD requires the permission to read the object.
    async fn stored_size(&self, key: &str) -> Result<Option<u64>, ArtifactError> {
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(key);
        // S3 lists keys in lexicographic order. If the object exists, it is therefore the first
        // entry: any longer key that begins with `key` comes after it.
        match Box::pin(request.max_keys(1).send()).await {
            Ok(response) => {
                let object = response.contents().iter().find(|object| object.key() == Some(key));
                Ok(object.and_then(|object| u64::try_from(object.size()?).ok()))
            }
            Err(error) => Err(unavailable("S3 ListObjectsV2", &error)),
        }
    }

    async fn delete(&self, key: &str) -> Result<(), ArtifactError> {
        let request = self.client.delete_object().bucket(&self.bucket).key(key);
        match Box::pin(request.send()).await {
            Ok(_) => Ok(()),
            Err(error) => Err(unavailable("S3 DeleteObject", &error)),
        }
    }
}

impl StorageProbe for S3Artifacts {
    async fn probe_storage(&self) -> Result<(), ArtifactError> {
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(PROBE_PREFIX);
        match Box::pin(request.max_keys(1).send()).await {
            Ok(_) => Ok(()),
            Err(error) => Err(unavailable("S3 ListObjectsV2", &error)),
        }
    }
}

impl Presigner for S3Artifacts {
    async fn presign(
        &self,
        key: &str,
        name: &DocumentName,
        mime: Option<&str>,
        now: Timestamp,
        valid_for: SignedDuration,
    ) -> Result<PresignedUrl, ArtifactError> {
        const CALL: &str = "S3 GetObject";
        let now = SystemTime::from(now);
        let lifetime = self.url_lifetime(now, valid_for).await?;
        let config = PresigningConfig::builder().start_time(now).expires_in(lifetime).build();
        let config =
            config.map_err(|_| unexpected(CALL, "the URL cannot be valid for this duration"))?;
        let request = self.client.get_object().bucket(&self.bucket).key(key);
        let request = request
            .response_content_disposition(content_disposition(name.as_str()))
            .set_response_content_type(mime.map(header_media_type));
        let signed =
            Box::pin(request.presigned(config)).await.map_err(|error| unavailable(CALL, &error))?;
        let expires_at = Timestamp::try_from(now + lifetime)
            .map_err(|_| unexpected(CALL, "the expiry is out of range"))?;
        Ok(PresignedUrl { url: signed.uri().to_owned().into(), expires_at })
    }
}

/// Returns a media type that is valid in an HTTP header. Records of older versions may contain
/// media types that were never validated.
fn header_media_type(mime: &str) -> String {
    media_type(mime).to_owned()
}

/// Returns a `Content-Disposition` value that downloads the file under `name` (RFC 6266).
///
/// The parameter `filename` holds the name with unsafe characters replaced. The parameter
/// `filename*` holds the exact name in UTF-8, for clients that support it.
fn content_disposition(name: &str) -> String {
    let ascii: String = name
        .chars()
        .map(|character| {
            let is_safe = character.is_ascii_graphic() && !"\"\\%".contains(character);
            if is_safe || character == ' ' { character } else { '_' }
        })
        .collect();
    let encoded = utf8_percent_encode(name, NON_ALPHANUMERIC);
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{encoded}")
}

/// Returns the timeouts of a call that sends a part or completes an upload. The timeouts of the
/// client are for small calls.
fn long_call() -> aws_sdk_s3::config::Builder {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(LONG_CALL_TIMEOUT)
        .operation_timeout(LONG_CALL_TIMEOUT * 2);
    aws_sdk_s3::config::Builder::new().timeout_config(timeouts.build())
}

/// Returns the verification that the bucket offers for an upload of this checksum type.
fn verification(checksum_type: Option<&ChecksumType>) -> Verification {
    match checksum_type {
        Some(ChecksumType::FullObject) => Verification::WholeObject,
        _ => Verification::PartsOnly,
    }
}

/// Error for a failed call on a multipart upload. In contrast to [`unavailable`], this function
/// distinguishes an upload that no longer exists from every other failure.
fn upload_error<E: ProvideErrorMetadata>(
    call: &'static str,
    error: &SdkError<E, HttpResponse>,
) -> ArtifactError {
    match error.code() {
        Some("NoSuchUpload") => ArtifactError::UploadGone,
        _ => unavailable(call, error),
    }
}

/// Error for a call of the AWS SDK that failed.
fn unavailable<E: ProvideErrorMetadata>(
    call: &'static str,
    error: &SdkError<E, HttpResponse>,
) -> ArtifactError {
    ArtifactError::Unavailable(Box::new(Fault::of(call, error)))
}

/// Error for a problem that this adapter detected itself.
fn unexpected(call: &'static str, reason: &'static str) -> ArtifactError {
    ArtifactError::Unavailable(Box::new(Fault::new(call, reason)))
}
