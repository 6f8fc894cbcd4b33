//! Implementation of ports by the [`World`]: the delivery bucket, the user
//! directory.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use docferry_app::ports::{
    ArtifactError, Artifacts, Directory, DirectoryError, ObjectChecksum, OpenUpload, PresignedUrl,
    Presigner, StorageProbe, StoredPart, Verification,
};
use docferry_domain::document::{Crc32, DocumentName};
use docferry_domain::person::Recipient;
use jiff::{SignedDuration, Timestamp};

use crate::delivery_bucket::{Multipart, Part};
use crate::world::World;

/// Returns the description of a stored part.
fn stored_part((number, part): (&u32, &Part)) -> StoredPart {
    let (size, etag) = (part.bytes.len() as u64, format!("\"{number}\""));
    StoredPart { number: *number, size, etag, crc32: Some(part.crc32) }
}

/// Fails, as S3 does, if the bytes do not have the checksum that the caller sent with them.
fn verify(bytes: &[u8], crc32: Crc32) -> Result<(), ArtifactError> {
    if Crc32::of(bytes) == crc32 {
        Ok(())
    } else {
        Err(ArtifactError::Unavailable("BadDigest".into()))
    }
}

impl Artifacts for World {
    async fn put(
        &self,
        key: &str,
        _: Option<&str>,
        bytes: Bytes,
        crc32: Crc32,
    ) -> Result<(), ArtifactError> {
        self.effect("put_artifact_object", ArtifactError::Unavailable, async || {
            verify(&bytes, crc32)?;
            self.state().delivery.objects.insert(key.into(), bytes);
            Ok(())
        })
        .await
    }

    async fn open_upload(&self, key: &str) -> Result<Option<OpenUpload>, ArtifactError> {
        self.effect("open_upload", ArtifactError::Unavailable, async || {
            let state = self.state();
            let open = state.delivery.uploads.iter().find(|(_, upload)| upload.key == key);
            Ok(open.map(|(id, upload)| OpenUpload {
                id: id.clone(),
                verification: upload.verification,
                parts: upload.parts.iter().map(stored_part).collect(),
            }))
        })
        .await
    }

    async fn begin(&self, key: &str, _: Option<&str>) -> Result<OpenUpload, ArtifactError> {
        self.effect("begin_upload", ArtifactError::Unavailable, async || {
            let bucket = &mut self.state().delivery;
            bucket.begun += 1;
            let id = format!("upload-{:06}", bucket.begun);
            let verification = bucket.verification;
            let upload = Multipart { key: key.into(), verification, parts: BTreeMap::new() };
            bucket.uploads.insert(id.clone(), upload);
            Ok(OpenUpload { id, verification, parts: Vec::new() })
        })
        .await
    }

    async fn put_part(
        &self,
        _: &str,
        upload: &str,
        number: u32,
        bytes: Bytes,
        crc32: Crc32,
    ) -> Result<StoredPart, ArtifactError> {
        self.effect("put_part", ArtifactError::Unavailable, async || {
            verify(&bytes, crc32)?;
            let mut state = self.state();
            let parts = &mut state.delivery.upload(upload)?.parts;
            parts.insert(number, Part { bytes, crc32 });
            Ok(stored_part((&number, &parts[&number])))
        })
        .await
    }

    async fn complete(
        &self,
        key: &str,
        upload: &str,
        parts: &[StoredPart],
        expected: Option<ObjectChecksum>,
    ) -> Result<(), ArtifactError> {
        self.effect("complete_upload", ArtifactError::Unavailable, async || {
            let bucket = &mut self.state().delivery;
            let stored = bucket.upload(upload)?;
            assert!(
                expected.is_none() || stored.verification == Verification::WholeObject,
                "sends a checksum that the bucket does not verify"
            );
            let mut whole = BytesMut::new();
            for part in parts {
                whole.extend_from_slice(&stored.parts[&part.number].bytes);
            }
            let crc32 = Crc32::of(&whole);
            let is_expected = |expected: ObjectChecksum| {
                expected == ObjectChecksum { size: whole.len() as u64, crc32 }
            };
            if !expected.is_none_or(is_expected) {
                return Err(ArtifactError::Corrupt);
            }
            bucket.uploads.remove(upload);
            bucket.objects.insert(key.into(), whole.freeze());
            Ok(())
        })
        .await
    }

    async fn abort(&self, key: &str) -> Result<(), ArtifactError> {
        self.effect("abort_upload", ArtifactError::Unavailable, async || {
            self.state().delivery.uploads.retain(|_, upload| upload.key != key);
            Ok(())
        })
        .await
    }

    async fn stored_size(&self, key: &str) -> Result<Option<u64>, ArtifactError> {
        self.effect("stored_size", ArtifactError::Unavailable, async || {
            Ok(self.state().delivery.objects.get(key).map(|bytes| bytes.len() as u64))
        })
        .await
    }

    async fn delete(&self, key: &str) -> Result<(), ArtifactError> {
        self.effect("delete_artifact", ArtifactError::Unavailable, async || {
            self.state().delivery.objects.remove(key);
            Ok(())
        })
        .await
    }
}

impl StorageProbe for World {
    async fn probe_storage(&self) -> Result<(), ArtifactError> {
        self.effect("probe_storage", ArtifactError::Unavailable, async || {
            if self.state().delivery.down {
                return Err(ArtifactError::Unavailable("down".into()));
            }
            Ok(())
        })
        .await
    }
}

impl Presigner for World {
    async fn presign(
        &self,
        key: &str,
        name: &DocumentName,
        _: Option<&str>,
        now: Timestamp,
        valid_for: SignedDuration,
    ) -> Result<PresignedUrl, ArtifactError> {
        // In the names of the tests, the space is the only character that needs escaping.
        let name = name.as_str().replace(' ', "%20");
        let url = format!("https://delivery.example/{key}?name={name}").into();
        Ok(PresignedUrl { url, expires_at: now + valid_for })
    }
}

impl Directory for World {
    async fn user_id(&self, recipient: &Recipient) -> Result<Option<String>, DirectoryError> {
        let state = self.state();
        if state.drive.down {
            return Err(DirectoryError("down".into()));
        }
        Ok(state.users.get(recipient.as_str()).cloned())
    }
}
