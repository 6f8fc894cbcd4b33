//! Multipart upload to a fake store that enforces the checksums of parts as S3 does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use docferry_app::ports::{ArtifactError, Artifacts as _, StoredPart};
use docferry_aws::S3Artifacts;

use support::wire::{Then, answer, serve};

const CHECKSUM: &str = "x-amz-checksum-crc32";

/// CRC-32 of `part one` in base64, as in the header of the request.
const PART_ONE_CHECKSUM: &str = "ixQTsA==";

/// Responds to a request as S3 does.
///
/// `created_for` is the checksum algorithm for which the upload was created. Listings report an
/// upload whose first part is already stored.
fn s3(request: &str, created_for: &mut Option<String>) -> Vec<u8> {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let header = |wanted: &str| {
        head.lines().filter_map(|line| line.split_once(": ")).find_map(|(name, value)| {
            name.eq_ignore_ascii_case(wanted).then(|| value.trim().to_owned())
        })
    };
    let error = |message: &str| {
        let body =
            format!("<Error><Code>InvalidRequest</Code><Message>{message}</Message></Error>");
        answer("400 Bad Request", "content-type: application/xml\r\n", &body)
    };
    let xml = |body: &str| answer("200 OK", "content-type: application/xml\r\n", body);
    let request_line = head.lines().next().unwrap();
    if request_line.starts_with("POST") && request_line.contains("?uploads") {
        *created_for = header("x-amz-checksum-algorithm");
        return xml(
            "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>",
        );
    }
    if request_line.starts_with("PUT") {
        let Some(checksum) = header(CHECKSUM).filter(|_| created_for.as_deref() == Some("CRC32"))
        else {
            return error("Checksum Type mismatch occurred");
        };
        return answer("200 OK", &format!("etag: \"1\"\r\n{CHECKSUM}: {checksum}\r\n"), "");
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
    let created_for = Arc::<Mutex<Option<String>>>::default();
    let url = serve(move |_, request| {
        let request = String::from_utf8(request).unwrap();
        let answer = s3(&request, &mut created_for.lock().unwrap());
        async move { (answer, Then::Close) }
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
