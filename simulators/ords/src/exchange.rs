//! The exchange bucket, as the mover writes to it.

use aws_sdk_s3::{
    Client,
    config::{
        BehaviorVersion, Credentials, Region, RequestChecksumCalculation,
        ResponseChecksumValidation,
    },
    error::DisplayErrorContext,
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart},
};
use sim_kit::{Call, Line};

use crate::{ExchangeConfig, source::Source};

/// Larger documents go in parts, so that no more than one part is in memory.
const WHOLE: u64 = 16 * 1024 * 1024;
const PART: u64 = 8 * 1024 * 1024;

/// Why a file could not be moved; words for the admin listing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MoveError {
    #[error("the bucket refused: {0}")]
    Bucket(String),
    #[error("the file could not be read")]
    Read(#[from] std::io::Error),
}

#[derive(Debug)]
pub(crate) struct Exchange {
    client: Client,
    bucket: String,
}

/// One object to write.
pub(crate) struct Object<'a> {
    pub(crate) key: &'a str,
    pub(crate) mimetype: &'a str,
    pub(crate) source: &'a Source,
    /// The first bytes of the source that are written.
    pub(crate) length: u64,
}

impl Exchange {
    pub(crate) fn new(config: &ExchangeConfig) -> Self {
        let credentials =
            Credentials::new(&config.access_key, &config.secret_key, None, None, "simulator");
        let mut builder = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(config.region.clone()))
            .credentials_provider(credentials)
            .force_path_style(config.path_style)
            // On-premises stores do not all know the newer checksum trailers.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        if let Some(endpoint) = &config.endpoint {
            builder = builder.endpoint_url(endpoint);
        }
        Self { client: Client::from_conf(builder.build()), bucket: config.bucket.clone() }
    }

    /// Writes an object; readers see the old one or the new one, never a mixture.
    pub(crate) async fn put(
        &self,
        object: &Object<'_>,
        line: &mut Line,
        call: &mut Call,
    ) -> Result<(), MoveError> {
        if object.length > WHOLE {
            return self.put_in_parts(object, line, call).await;
        }
        let body = read(object, 0, object.length, line, call).await?;
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(object.key)
            .content_type(object.mimetype)
            .body(body)
            .send()
            .await
            .map_err(refused)?;
        Ok(())
    }

    async fn put_in_parts(
        &self,
        object: &Object<'_>,
        line: &mut Line,
        call: &mut Call,
    ) -> Result<(), MoveError> {
        let created = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(object.key)
            .content_type(object.mimetype)
            .send()
            .await
            .map_err(refused)?;
        let upload = created.upload_id().unwrap_or_default();
        let sent = self.send_parts(object, upload, line, call).await;
        if sent.is_err() {
            // The first error is the one to tell; an upload left over is the bucket's rule to collect.
            let _aborted = self
                .client
                .abort_multipart_upload()
                .bucket(&self.bucket)
                .key(object.key)
                .upload_id(upload)
                .send()
                .await;
        }
        sent
    }

    async fn send_parts(
        &self,
        object: &Object<'_>,
        upload: &str,
        line: &mut Line,
        call: &mut Call,
    ) -> Result<(), MoveError> {
        let mut parts = Vec::new();
        let mut offset = 0;
        for number in 1.. {
            let length = (object.length - offset).min(PART);
            if length == 0 {
                break;
            }
            let body = read(object, offset, length, line, call).await?;
            let part = self
                .client
                .upload_part()
                .bucket(&self.bucket)
                .key(object.key)
                .upload_id(upload)
                .part_number(number)
                .body(body)
                .send()
                .await
                .map_err(refused)?;
            let done = CompletedPart::builder().part_number(number).set_e_tag(part.e_tag);
            parts.push(done.build());
            offset += length;
        }
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        self.client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(object.key)
            .upload_id(upload)
            .multipart_upload(parts)
            .send()
            .await
            .map_err(refused)?;
        Ok(())
    }
}

async fn read(
    object: &Object<'_>,
    offset: u64,
    length: u64,
    line: &mut Line,
    call: &mut Call,
) -> Result<ByteStream, MoveError> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let bytes = object.source.read(offset, length)?;
    line.pass(length).await;
    call.count(length);
    Ok(ByteStream::from(bytes))
}

fn refused(error: impl std::error::Error) -> MoveError {
    MoveError::Bucket(DisplayErrorContext(&error).to_string())
}
