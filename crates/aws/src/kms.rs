//! Seals upload URLs with a KMS key, bound to their transfer.

use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_smithy_types::error::metadata::ProvideErrorMetadata as _;
use docferry_app::ports::{SealError, Sealer, UploadUrl};
use docferry_domain::TransferId;

use crate::Fault;

/// Name in the encryption context under which the transfer stands; the key's
/// users may use it with that name only.
const CONTEXT: &str = "transferId";

/// KMS encrypts at most so many bytes directly. The URLs of upload sessions are
/// some hundred bytes, with a token in them one to two thousand.
const LARGEST_URL_BYTES: usize = 4096;

/// The [`Sealer`] on KMS: the URL itself is encrypted, no key of ours is made.
///
/// A URL of more than 4096 bytes cannot be sealed: [`SealError::Unavailable`]
/// with that cause.
#[derive(Debug, Clone)]
pub struct KmsSealer {
    client: Client,
    key_id: String,
}

impl KmsSealer {
    /// Seals with this symmetric key, named by id or ARN.
    #[must_use]
    pub fn new(client: Client, key_id: impl Into<String>) -> Self {
        Self { client, key_id: key_id.into() }
    }
}

impl Sealer for KmsSealer {
    async fn seal(&self, transfer: &TransferId, url: &UploadUrl) -> Result<Vec<u8>, SealError> {
        const CALL: &str = "KMS Encrypt";
        if url.expose().len() > LARGEST_URL_BYTES {
            return Err(broken(CALL, "the URL is longer than KMS encrypts"));
        }
        let request = self
            .client
            .encrypt()
            .key_id(&self.key_id)
            .encryption_context(CONTEXT, transfer.as_str())
            .plaintext(Blob::new(url.expose()));
        let answer = match Box::pin(request.send()).await {
            Ok(answer) => answer,
            Err(error) => return Err(SealError::Unavailable(Box::new(Fault::of(CALL, &error)))),
        };
        let sealed = answer.ciphertext_blob.ok_or_else(|| broken(CALL, "the answer is empty"))?;
        Ok(sealed.into_inner())
    }

    async fn open(&self, transfer: &TransferId, sealed: &[u8]) -> Result<UploadUrl, SealError> {
        const CALL: &str = "KMS Decrypt";
        let request = self
            .client
            .decrypt()
            .key_id(&self.key_id)
            .encryption_context(CONTEXT, transfer.as_str())
            .ciphertext_blob(Blob::new(sealed));
        let answer = match Box::pin(request.send()).await {
            Ok(answer) => answer,
            Err(error) => {
                return Err(match error.code() {
                    // Another context or key, or not a ciphertext at all. A policy
                    // on the context shows as AccessDenied.
                    Some(
                        "InvalidCiphertextException"
                        | "IncorrectKeyException"
                        | "AccessDeniedException"
                        | "AccessDenied"
                        | "ValidationException",
                    ) => SealError::Unreadable,
                    _ => SealError::Unavailable(Box::new(Fault::of(CALL, &error))),
                });
            }
        };
        let plain = answer.plaintext.ok_or_else(|| broken(CALL, "the answer is empty"))?;
        let url = String::from_utf8(plain.into_inner()).map_err(|_| SealError::Unreadable)?;
        Ok(UploadUrl::new(url))
    }
}

fn broken(call: &'static str, reason: &'static str) -> SealError {
    SealError::Unavailable(Box::new(Fault::new(call, reason)))
}
