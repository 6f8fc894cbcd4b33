//! S3 client of the ORDS simulator. The simulated mover uses it to write documents to the exchange
//! bucket.

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

use crate::{config::ExchangeConfig, source::Source};

/// Maximum size of a single PUT. Larger documents are sent in parts, so that at most one part is in
/// memory.
const MAX_SINGLE_PUT: u64 = 16 * 1024 * 1024;
/// Size in bytes of a part.
const PART_SIZE: u64 = 8 * 1024 * 1024;

/// Error that prevented a move. The list of NFS files in the admin interface contains it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MoveError {
    #[error("the bucket rejected the request: {0}")]
    Bucket(String),
    #[error("the file could not be read")]
    Read(#[from] std::io::Error),
}

/// The exchange bucket.
#[derive(Debug)]
pub(crate) struct Exchange {
    client: Client,
    bucket: String,
}

/// An object to write.
pub(crate) struct Object<'a> {
    pub(crate) key: &'a str,
    pub(crate) mimetype: &'a str,
    pub(crate) source: &'a Source,
    /// Number of bytes to write, from the start of the source.
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
            // Some on-premises object stores do not support the newer checksum trailers.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        if let Some(endpoint) = &config.endpoint {
            builder = builder.endpoint_url(endpoint);
        }
        Self { client: Client::from_conf(builder.build()), bucket: config.bucket.clone() }
    }

    /// Writes an object atomically: a reader gets either the old object or the new one.
    ///
    /// `line` delays the bytes to limit the bandwidth, and `call` counts them for the request log.
    pub(crate) async fn put(
        &self,
        object: &Object<'_>,
        line: &mut Line,
        call: &mut Call,
    ) -> Result<(), MoveError> {
        if object.length > MAX_SINGLE_PUT {
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
            .map_err(bucket_error)?;
        Ok(())
    }

    /// Writes an object in parts, by a multipart upload.
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
            .map_err(bucket_error)?;
        let upload_id = created.upload_id().unwrap_or_default();
        let result = self.send_parts(object, upload_id, line, call).await;
        if result.is_err() {
            // Only the first error is reported. If the abort fails too, a lifecycle rule of the
            // bucket removes the upload.
            let _result = self
                .client
                .abort_multipart_upload()
                .bucket(&self.bucket)
                .key(object.key)
                .upload_id(upload_id)
                .send()
                .await;
        }
        result
    }

    /// Sends the parts of a multipart upload and completes it.
    async fn send_parts(
        &self,
        object: &Object<'_>,
        upload_id: &str,
        line: &mut Line,
        call: &mut Call,
    ) -> Result<(), MoveError> {
        let mut completed_parts = Vec::new();
        let mut offset = 0;
        for number in 1.. {
            let length = (object.length - offset).min(PART_SIZE);
            if length == 0 {
                break;
            }
            let body = read(object, offset, length, line, call).await?;
            let uploaded = self
                .client
                .upload_part()
                .bucket(&self.bucket)
                .key(object.key)
                .upload_id(upload_id)
                .part_number(number)
                .body(body)
                .send()
                .await
                .map_err(bucket_error)?;
            let part = CompletedPart::builder().part_number(number).set_e_tag(uploaded.e_tag);
            completed_parts.push(part.build());
            offset += length;
        }
        let parts = CompletedMultipartUpload::builder().set_parts(Some(completed_parts)).build();
        self.client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(object.key)
            .upload_id(upload_id)
            .multipart_upload(parts)
            .send()
            .await
            .map_err(bucket_error)?;
        Ok(())
    }
}

/// Reads a range of the source at the speed of `line` and counts its bytes.
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

fn bucket_error(error: impl std::error::Error) -> MoveError {
    MoveError::Bucket(DisplayErrorContext(&error).to_string())
}
