//! Tests with the AWS SDK, which frames, checks and parses as the product does.

use aws_sdk_s3::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig},
    error::ProvideErrorMetadata as _,
    primitives::{ByteStream, SdkBody},
    types::{
        ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart,
    },
};

use reqwest::Method;
use serde_json::json;

use crate::support::{Store, crc32};

const BUCKET: &str = "simulated-bucket";

fn client(store: &Store) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(store.s3.url())
        .region(Region::new("ca-central-1"))
        .credentials_provider(Credentials::new("simulated-key", "unchecked", None, None, "test"))
        .force_path_style(true)
        .retry_config(RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}

#[tokio::test]
async fn sdk_assembles_and_verifies_an_object() {
    let store = Store::new().await;
    store.put_object("source", 8_000_000).await;
    let client = client(&store);
    let created = client
        .create_multipart_upload()
        .bucket(BUCKET)
        .key("zip")
        .checksum_algorithm(ChecksumAlgorithm::Crc32)
        .checksum_type(ChecksumType::FullObject)
        .send()
        .await
        .unwrap();
    assert_eq!(created.checksum_type(), Some(&ChecksumType::FullObject));
    let id = created.upload_id().unwrap();
    let copied = client
        .upload_part_copy()
        .bucket(BUCKET)
        .key("zip")
        .upload_id(id)
        .part_number(1)
        .copy_source(format!("{BUCKET}/source"))
        .copy_source_range("bytes=0-6999999")
        .send()
        .await
        .unwrap();
    let copied = copied.copy_part_result().unwrap();
    let uploaded = client
        .upload_part()
        .bucket(BUCKET)
        .key("zip")
        .upload_id(id)
        .part_number(2)
        .checksum_algorithm(ChecksumAlgorithm::Crc32)
        .body(ByteStream::from_static(b"directory"))
        .send()
        .await
        .unwrap();
    let part = |number, etag: Option<&str>| {
        CompletedPart::builder().part_number(number).set_e_tag(etag.map(ToOwned::to_owned)).build()
    };
    let parts = CompletedMultipartUpload::builder()
        .parts(part(1, copied.e_tag()))
        .parts(part(2, uploaded.e_tag()))
        .build();
    let expected = [&store.read("source").await[..7_000_000], b"directory"].concat();
    let complete = |crc: &str| {
        client
            .complete_multipart_upload()
            .bucket(BUCKET)
            .key("zip")
            .upload_id(id)
            .checksum_crc32(crc)
            .checksum_type(ChecksumType::FullObject)
            .mpu_object_size(7_000_009)
            .multipart_upload(parts.clone())
    };
    let refused = complete("AAAAAA==").send().await.unwrap_err();
    assert_eq!(refused.code(), Some("BadDigest"));
    complete(&crc32(&expected)).send().await.unwrap();

    let object = client.get_object().bucket(BUCKET).key("zip");
    let object = object.checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!(object.checksum_crc32(), Some(crc32(&expected).as_str()));
    assert!(object.body.collect().await.unwrap().to_vec() == expected);
}

#[tokio::test]
async fn sdk_puts_a_stream_with_a_trailer() {
    let store = Store::new().await;
    let pieces =
        futures::stream::iter((0..3).map(|_| Ok::<_, std::io::Error>(vec![7_u8; 100_000])));
    let body = http_body_util::StreamBody::new(futures::StreamExt::map(pieces, |piece| {
        piece.map(|piece| http_body::Frame::data(bytes::Bytes::from(piece)))
    }));
    let put = client(&store).put_object().bucket(BUCKET).key("x").content_length(300_000);
    let put = put
        .checksum_algorithm(ChecksumAlgorithm::Crc32)
        .body(ByteStream::new(SdkBody::from_body_1_x(body)));
    let response = put.send().await.unwrap();
    assert_eq!(response.checksum_crc32(), Some(crc32(&[7; 300_000]).as_str()));
    assert_eq!(store.read("x").await, [7; 300_000]);
    // The chunk sizes and the trailer count as well.
    let traffic = store.admin(Method::GET, "/traffic").await;
    assert!(traffic["putObject"]["requestBytes"].as_u64() > Some(300_000), "{traffic}");
}

#[tokio::test]
async fn sdk_reports_errors_with_status_200() {
    let store = Store::new().await;
    store.put_object("source", 10).await;
    let upload = store.create("FULL_OBJECT").await;
    let client = client(&store);
    for spaces in [0, 100] {
        for operation in ["uploadPartCopy", "completeMultipartUpload"] {
            let rule =
                json!({ "operation": operation, "okWithError": "InternalError", "spaces": spaces });
            store.post_admin("/faults", &rule).await;
        }
        let copy = client.upload_part_copy().bucket(BUCKET).key("zip").upload_id(&upload.id);
        let copy = copy.part_number(1).copy_source(format!("{BUCKET}/source")).send().await;
        assert_eq!(copy.unwrap_err().code(), Some("InternalError"));
        let completion =
            client.complete_multipart_upload().bucket(BUCKET).key("zip").upload_id(&upload.id);
        assert_eq!(completion.send().await.unwrap_err().code(), Some("InternalError"));
    }
}
