//! Tests of multipart uploads into the delivery bucket.
//!
//! A fake S3 server enforces the checksums of parts in the same way as S3.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use bytes::Bytes;
use docferry_app::ports::{
    ArtifactError, Artifacts as _, ObjectChecksum, OpenUpload, StoredPart, Verification,
};
use docferry_aws::S3Artifacts;
use docferry_domain::document::Crc32;

use support::wire::{AfterResponse, http_response, serve};

const CHECKSUM_HEADER: &str = "x-amz-checksum-crc32";
const TYPE_HEADER: &str = "x-amz-checksum-type";

/// Content of the only part.
const PART_ONE: &[u8] = b"part one";

/// CRC-32 of `part one` in base64, as in the header of the request.
const PART_ONE_CHECKSUM: &str = "ixQTsA==";

/// Returns the response of S3 to a request.
///
/// Listings contain an upload whose first part is already stored. Its content is `part one`.
fn s3_response(request: &str, server: &mut Server) -> Vec<u8> {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let header = |wanted: &str| {
        head.lines().filter_map(|line| line.split_once(": ")).find_map(|(name, value)| {
            name.eq_ignore_ascii_case(wanted).then(|| value.trim().to_owned())
        })
    };
    let error = |message: &str| {
        let body =
            format!("<Error><Code>InvalidRequest</Code><Message>{message}</Message></Error>");
        http_response("400 Bad Request", "content-type: application/xml\r\n", &body)
    };
    let xml = |body: &str| http_response("200 OK", "content-type: application/xml\r\n", body);
    let request_line = head.lines().next().unwrap();
    if request_line.starts_with("POST") && request_line.contains("?uploads") {
        server.algorithm = header("x-amz-checksum-algorithm");
        let requested = header(TYPE_HEADER);
        server.is_whole_verified &= requested.as_deref() == Some("FULL_OBJECT");
        let headers = format!(
            "content-type: application/xml\r\n{TYPE_HEADER}: {}\r\n",
            server.checksum_type()
        );
        let body =
            "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
        return http_response("200 OK", &headers, body);
    }
    if request_line.starts_with("PUT") {
        let Some(checksum) =
            header(CHECKSUM_HEADER).filter(|_| server.algorithm.as_deref() == Some("CRC32"))
        else {
            return error("Checksum Type mismatch occurred");
        };
        return http_response(
            "200 OK",
            &format!("etag: \"1\"\r\n{CHECKSUM_HEADER}: {checksum}\r\n"),
            "",
        );
    }
    if request_line.starts_with("GET") && request_line.contains("uploadId=u") {
        return xml(&format!(
            "<ListPartsResult><Part><PartNumber>1</PartNumber><Size>8</Size><ETag>\"1\"</ETag>\
             <ChecksumCRC32>{PART_ONE_CHECKSUM}</ChecksumCRC32></Part></ListPartsResult>"
        ));
    }
    if request_line.starts_with("GET") {
        return xml(&format!(
            "<ListMultipartUploadsResult><Upload><Key>downloads/k</Key><UploadId>u</UploadId>\
             <ChecksumType>{}</ChecksumType></Upload></ListMultipartUploadsResult>",
            server.checksum_type()
        ));
    }
    let whole = (header(CHECKSUM_HEADER), header("x-amz-mp-object-size"), header(TYPE_HEADER));
    if whole.0.is_some() && (whole.2.as_deref() != Some("FULL_OBJECT") || !server.is_whole_verified)
    {
        return error("The upload has another checksum type.");
    }
    if whole.1.is_some_and(|size| size != "8") {
        return error("The size does not match the parts.");
    }
    if whole.0.is_some_and(|checksum| checksum != PART_ONE_CHECKSUM) {
        let body = "<Error><Code>BadDigest</Code></Error>";
        return http_response("400 Bad Request", "content-type: application/xml\r\n", body);
    }
    if !body.contains(&format!("<ChecksumCRC32>{PART_ONE_CHECKSUM}</ChecksumCRC32>")) {
        return error("The complete request must include the checksum for each part.");
    }
    xml("<CompleteMultipartUploadResult/>")
}

/// State of the fake S3 server.
struct Server {
    /// Checksum algorithm with which the upload was created.
    algorithm: Option<String>,
    /// Whether the server verifies the checksum of a whole object.
    is_whole_verified: bool,
}

impl Server {
    const fn checksum_type(&self) -> &'static str {
        if self.is_whole_verified { "FULL_OBJECT" } else { "COMPOSITE" }
    }
}

/// Returns a bucket on a server that verifies the checksum of a whole object, or only of parts.
async fn bucket_with(verification: Verification) -> S3Artifacts {
    let is_whole_verified = verification == Verification::WholeObject;
    let server = Arc::new(Mutex::new(Server { algorithm: None, is_whole_verified }));
    let url = serve(move |_, request| {
        let request = String::from_utf8(request).unwrap();
        let response = s3_response(&request, &mut server.lock().unwrap());
        async move { (response, AfterResponse::Close) }
    })
    .await;
    bucket_at(&url, TimeLimits::default()).await
}

/// Returns the bucket at this URL. Its client has the configuration of a function, and records the
/// time limit of each call.
async fn bucket_at(url: &str, limits: TimeLimits) -> S3Artifacts {
    let config = aws_sdk_s3::config::Builder::from(&support::config(url).await);
    let config = config.force_path_style(true).interceptor(limits);
    S3Artifacts::new(aws_sdk_s3::Client::from_conf(config.build()), None, "delivery")
}

/// Name of an operation, and the time limit of its call with all retries.
type TimeLimit = (String, Option<Duration>);

/// Interceptor that records the operation and the time limit of each call.
#[derive(Debug, Clone, Default)]
struct TimeLimits(Arc<Mutex<Vec<TimeLimit>>>);

impl Intercept for TimeLimits {
    fn name(&self) -> &'static str {
        "TimeLimits"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = config.load::<Metadata>().map(|metadata| metadata.name().to_owned());
        let limit = config.load::<TimeoutConfig>().and_then(TimeoutConfig::operation_timeout);
        self.0.lock().unwrap().push((operation.unwrap_or_default(), limit));
        Ok(())
    }
}

/// A part has several megabytes, and S3 may take a while to complete an upload. The time limit of
/// small calls would end such calls over a slow connection.
#[tokio::test]
async fn calls_that_move_bytes_have_longer_time_limits() {
    let server = Arc::new(Mutex::new(Server { algorithm: None, is_whole_verified: true }));
    let url = serve(move |_, request| {
        let request = String::from_utf8(request).unwrap();
        let response = s3_response(&request, &mut server.lock().unwrap());
        async move { (response, AfterResponse::Close) }
    })
    .await;
    let limits = TimeLimits::default();
    let bucket = bucket_at(&url, limits.clone()).await;
    let upload = upload_of_one_part(&bucket).await;
    bucket.complete("downloads/k", &upload.id, &upload.parts, None).await.unwrap();
    let recorded = limits.0.lock().unwrap().clone();
    let seconds: Vec<_> = recorded
        .iter()
        .map(|(operation, limit)| (operation.as_str(), limit.unwrap().as_secs()))
        .collect();
    assert_eq!(
        seconds,
        [("CreateMultipartUpload", 9), ("UploadPart", 120), ("CompleteMultipartUpload", 120)]
    );
}

/// Stores the only part of a new upload. Returns the upload with the part.
async fn upload_of_one_part(bucket: &S3Artifacts) -> OpenUpload {
    let mut upload = bucket.begin("downloads/k", None).await.unwrap();
    let bytes = Bytes::from_static(PART_ONE);
    let crc32 = Crc32::of(&bytes);
    let part = bucket.put_part("downloads/k", &upload.id, 1, bytes, crc32).await.unwrap();
    assert_eq!(part.crc32.unwrap().to_base64(), PART_ONE_CHECKSUM);
    upload.parts.push(part);
    upload
}

#[tokio::test]
async fn parts_use_the_checksum_algorithm_of_their_upload() {
    let bucket = bucket_with(Verification::PartsOnly).await;
    let upload = upload_of_one_part(&bucket).await;
    assert_eq!(upload.verification, Verification::PartsOnly);
    bucket.complete("downloads/k", &upload.id, &upload.parts, None).await.unwrap();
}

#[tokio::test]
async fn whole_object_is_verified_on_completion() {
    let bucket = bucket_with(Verification::WholeObject).await;
    let upload = upload_of_one_part(&bucket).await;
    assert_eq!(upload.verification, Verification::WholeObject);
    let right = ObjectChecksum { size: 8, crc32: Crc32::of(PART_ONE) };
    let other_checksum = ObjectChecksum { crc32: Crc32::of(b"part two"), ..right };
    let complete =
        async |whole| bucket.complete("downloads/k", &upload.id, &upload.parts, Some(whole)).await;
    let result = complete(other_checksum).await;
    assert!(matches!(result, Err(ArtifactError::Corrupt)), "{result:?}");
    let result = complete(ObjectChecksum { size: 9, ..right }).await;
    assert!(matches!(result, Err(ArtifactError::Unavailable(_))), "{result:?}");
    bucket.complete("downloads/k", &upload.id, &upload.parts, Some(right)).await.unwrap();
}

#[tokio::test]
async fn resumed_upload_completes_with_checksums_of_stored_parts() {
    let bucket = bucket_with(Verification::WholeObject).await;
    let open = bucket.open_upload("downloads/k").await.unwrap().unwrap();
    assert_eq!(open.verification, Verification::WholeObject);
    bucket.complete("downloads/k", &open.id, &open.parts, None).await.unwrap();
    let part_without_checksum = StoredPart { crc32: None, ..open.parts[0].clone() };
    let result = bucket.complete("downloads/k", &open.id, &[part_without_checksum], None).await;
    assert!(matches!(result, Err(ArtifactError::Unavailable(_))), "{result:?}");
}
