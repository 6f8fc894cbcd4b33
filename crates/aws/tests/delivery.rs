//! Tests of multipart uploads into the delivery bucket.
//!
//! A fake S3 server enforces the checksums of parts in the same way as S3.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use docferry_app::ports::{ArtifactError, Artifacts as _, StoredPart};
use docferry_aws::S3Artifacts;

use support::wire::{AfterResponse, http_response, serve};

const CHECKSUM_HEADER: &str = "x-amz-checksum-crc32";

/// CRC-32 of `part one` in base64, as in the header of the request.
const PART_ONE_CHECKSUM: &str = "ixQTsA==";

/// Returns the response of S3 to a request.
///
/// `upload_checksum` is the checksum algorithm with which the upload was created. Listings contain
/// an upload whose first part is already stored.
fn s3_response(request: &str, upload_checksum: &mut Option<String>) -> Vec<u8> {
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
        *upload_checksum = header("x-amz-checksum-algorithm");
        return xml(
            "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>",
        );
    }
    if request_line.starts_with("PUT") {
        let Some(checksum) =
            header(CHECKSUM_HEADER).filter(|_| upload_checksum.as_deref() == Some("CRC32"))
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
        return xml(
            "<ListMultipartUploadsResult><Upload><Key>downloads/k</Key><UploadId>u</UploadId></Upload></ListMultipartUploadsResult>",
        );
    }
    if !body.contains(&format!("<ChecksumCRC32>{PART_ONE_CHECKSUM}</ChecksumCRC32>")) {
        return error("The complete request must include the checksum for each part.");
    }
    xml("<CompleteMultipartUploadResult/>")
}

async fn bucket() -> S3Artifacts {
    let upload_checksum = Arc::<Mutex<Option<String>>>::default();
    let url = serve(move |_, request| {
        let request = String::from_utf8(request).unwrap();
        let response = s3_response(&request, &mut upload_checksum.lock().unwrap());
        async move { (response, AfterResponse::Close) }
    })
    .await;
    let config = aws_sdk_s3::config::Builder::from(&support::config(&url).await);
    let client = aws_sdk_s3::Client::from_conf(config.force_path_style(true).build());
    S3Artifacts::new(client, None, "delivery")
}

#[tokio::test]
async fn parts_use_the_checksum_algorithm_of_their_upload() {
    let bucket = bucket().await;
    let upload = bucket.begin("downloads/k", None).await.unwrap();
    let bytes = Bytes::from_static(b"part one");
    let part = bucket.put_part("downloads/k", &upload, 1, bytes).await.unwrap();
    assert_eq!(part.checksum.as_deref(), Some(PART_ONE_CHECKSUM));
    bucket.complete("downloads/k", &upload, &[part]).await.unwrap();
}

#[tokio::test]
async fn resumed_upload_completes_with_checksums_of_stored_parts() {
    let bucket = bucket().await;
    let open = bucket.open_upload("downloads/k").await.unwrap().unwrap();
    bucket.complete("downloads/k", &open.id, &open.parts).await.unwrap();
    let part_without_checksum = StoredPart { checksum: None, ..open.parts[0].clone() };
    let result = bucket.complete("downloads/k", &open.id, &[part_without_checksum]).await;
    assert!(matches!(result, Err(ArtifactError::Unavailable(_))), "{result:?}");
}
