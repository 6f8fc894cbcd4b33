//! Tests of the delivery bucket's adapter against the S3 simulator, which enforces the documented
//! rules of S3: the checksum of a whole object, the minimum size of a part, and the end of an upload.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use bytes::Bytes;
use docferry_app::ports::{
    ArtifactError, Artifacts as _, ObjectChecksum, OpenUpload, Verification,
};
use docferry_aws::S3Artifacts;
use docferry_domain::document::Crc32;
use docferry_sim_s3::{Config, Running};

const KEY: &str = "downloads/k";

/// Size in bytes of the parts but the last: the minimum of S3.
const PART: usize = 5 * 1024 * 1024;

/// A simulated S3 and the adapter of its bucket.
struct Fixture {
    s3: Running,
    bucket: S3Artifacts,
}

impl Fixture {
    async fn start(config: Config) -> Self {
        let name = config.bucket.clone();
        let credentials = Credentials::new(&config.access_key, "secret", None, None, "tests");
        let s3 = docferry_sim_s3::start(config).await.unwrap();
        let shared: SdkConfig = support::config(s3.url())
            .await
            .into_builder()
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        let config = aws_sdk_s3::config::Builder::from(&shared).force_path_style(true).build();
        let bucket = S3Artifacts::new(aws_sdk_s3::Client::from_conf(config), None, name);
        Self { s3, bucket }
    }

    /// Lets the next completion of an upload fail in this way.
    async fn fail_completion(&self, fault: &str) {
        let rule = format!(r#"{{"operation": "completeMultipartUpload", {fault}}}"#);
        let request = reqwest::Client::new().post(format!("{}/faults", self.s3.admin_url()));
        let request = request.header("content-type", "application/json").body(rule);
        request.send().await.unwrap().error_for_status().unwrap();
    }

    /// Begins an upload and stores the parts of the document.
    async fn upload(&self) -> OpenUpload {
        let mut upload = self.bucket.begin(KEY, Some("application/pdf")).await.unwrap();
        for (number, bytes) in (1..).zip(document().chunks(PART)) {
            let part = Bytes::copy_from_slice(bytes);
            let crc32 = Crc32::of(bytes);
            let stored = self.bucket.put_part(KEY, &upload.id, number, part, crc32).await.unwrap();
            upload.parts.push(stored);
        }
        upload
    }

    async fn complete(
        &self,
        upload: &OpenUpload,
        whole: Option<ObjectChecksum>,
    ) -> Result<(), ArtifactError> {
        self.bucket.complete(KEY, &upload.id, &upload.parts, whole).await
    }

    /// Returns the size of the stored object; `None` if there is none.
    async fn stored_size(&self) -> Option<u64> {
        self.bucket.stored_size(KEY).await.unwrap()
    }
}

/// A document of three parts. The last part is small.
fn document() -> Vec<u8> {
    (0..2 * PART + 7).map(|position| u8::try_from(position % 251).unwrap()).collect()
}

fn checksum() -> ObjectChecksum {
    let document = document();
    ObjectChecksum { size: document.len() as u64, crc32: Crc32::of(&document) }
}

#[tokio::test]
async fn object_with_the_expected_checksum_is_created() {
    let fixture = Fixture::start(Config::default()).await;
    let upload = fixture.upload().await;
    assert_eq!(upload.verification, Verification::WholeObject);
    fixture.complete(&upload, Some(checksum())).await.unwrap();
    assert_eq!(fixture.stored_size().await, Some(checksum().size));
    assert!(fixture.bucket.open_upload(KEY).await.unwrap().is_none());
}

#[tokio::test]
async fn object_with_another_checksum_is_not_created() {
    let fixture = Fixture::start(Config::default()).await;
    let upload = fixture.upload().await;
    let wrong = ObjectChecksum { crc32: Crc32::new(1), ..checksum() };
    let result = fixture.complete(&upload, Some(wrong)).await;
    assert!(matches!(result, Err(ArtifactError::Corrupt)), "{result:?}");
    assert_eq!(fixture.stored_size().await, None);
    fixture.bucket.abort(KEY).await.unwrap();
    assert!(fixture.bucket.open_upload(KEY).await.unwrap().is_none());
}

#[tokio::test]
async fn interrupted_upload_is_completed_from_its_listed_parts() {
    let fixture = Fixture::start(Config::default()).await;
    let begun = fixture.upload().await;
    let listed = fixture.bucket.open_upload(KEY).await.unwrap().unwrap();
    assert_eq!(listed, begun);
    fixture.complete(&listed, Some(checksum())).await.unwrap();
    assert_eq!(fixture.stored_size().await, Some(checksum().size));
}

#[tokio::test]
async fn bucket_that_verifies_parts_alone_gets_no_whole_checksum() {
    let config = Config { composite_checksums_only: true, ..Config::default() };
    let fixture = Fixture::start(config).await;
    let upload = fixture.upload().await;
    assert_eq!(upload.verification, Verification::PartsOnly);
    assert_eq!(fixture.bucket.open_upload(KEY).await.unwrap().unwrap(), upload);
    fixture.complete(&upload, None).await.unwrap();
    assert_eq!(fixture.stored_size().await, Some(checksum().size));
}

#[tokio::test]
async fn error_with_status_200_is_a_failure_of_the_completion() {
    let fixture = Fixture::start(Config::default()).await;
    let upload = fixture.upload().await;
    // `count` 0 means every completion, because the SDK repeats the call.
    fixture.fail_completion(r#""okWithError": "InternalError", "spaces": 9, "count": 0"#).await;
    let result = fixture.complete(&upload, Some(checksum())).await;
    assert!(matches!(result, Err(ArtifactError::Unavailable(_))), "{result:?}");
    assert_eq!(fixture.stored_size().await, None);
}

#[tokio::test]
async fn lost_response_of_a_completion_leaves_the_whole_object() {
    let fixture = Fixture::start(Config::default()).await;
    let upload = fixture.upload().await;
    fixture.fail_completion(r#""dropResponse": true, "storeFraction": 1"#).await;
    // The SDK repeats the call, and the upload does not exist any more.
    let result = fixture.complete(&upload, Some(checksum())).await;
    assert!(matches!(result, Err(ArtifactError::UploadGone)), "{result:?}");
    assert_eq!(fixture.stored_size().await, Some(checksum().size));
}

#[tokio::test]
async fn bytes_of_a_small_object_are_verified() {
    let fixture = Fixture::start(Config::default()).await;
    let bytes = Bytes::from_static(b"small");
    let put = async |crc32| fixture.bucket.put(KEY, None, bytes.clone(), crc32).await;
    assert!(put(Crc32::new(1)).await.is_err());
    assert_eq!(fixture.stored_size().await, None);
    put(Crc32::of(b"small")).await.unwrap();
    assert_eq!(fixture.stored_size().await, Some(5));
}
