//! KMS adapter that encrypts ("seals") upload URLs before they are stored.
//!
//! The URL of an upload session is a secret, because anyone who has it can upload. The encryption
//! context binds a sealed URL to its transfer: KMS does not decrypt it for another transfer.

use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_smithy_types::error::metadata::ProvideErrorMetadata as _;
use docferry_app::ports::{SealError, Sealer, UploadUrl};
use docferry_domain::ids::TransferId;

use crate::Fault;

/// Name of the entry of the encryption context that holds the transfer id. IAM policies allow the
/// use of the KMS key only with an entry of this name.
const CONTEXT_KEY: &str = "transferId";

/// Largest text that KMS encrypts directly, in bytes. An upload URL has some hundred bytes, or one
/// to two thousand bytes if it contains a token.
const MAX_URL_BYTES: usize = 4096;

/// [`Sealer`] on KMS. It encrypts the URL directly, without a data key.
///
/// A URL of more than 4096 bytes cannot be sealed. The call then fails with
/// [`SealError::Unavailable`], whose cause names the limit.
#[derive(Debug, Clone)]
pub struct KmsSealer {
    client: Client,
    key_id: String,
}

impl KmsSealer {
    /// Creates a sealer that uses this symmetric key, given by id or ARN.
    #[must_use]
    pub fn new(client: Client, key_id: impl Into<String>) -> Self {
        Self { client, key_id: key_id.into() }
    }
}

impl Sealer for KmsSealer {
    async fn seal(&self, transfer: &TransferId, url: &UploadUrl) -> Result<Vec<u8>, SealError> {
        const CALL: &str = "KMS Encrypt";
        if url.expose().len() > MAX_URL_BYTES {
            return Err(unexpected(CALL, "the URL exceeds the 4096 bytes that KMS encrypts"));
        }
        let request = self
            .client
            .encrypt()
            .key_id(&self.key_id)
            .encryption_context(CONTEXT_KEY, transfer.as_str())
            .plaintext(Blob::new(url.expose()));
        let response = match Box::pin(request.send()).await {
            Ok(response) => response,
            Err(error) => return Err(SealError::Unavailable(Box::new(Fault::of(CALL, &error)))),
        };
        let sealed =
            response.ciphertext_blob.ok_or_else(|| unexpected(CALL, "the response is empty"))?;
        Ok(sealed.into_inner())
    }

    async fn open(&self, transfer: &TransferId, sealed: &[u8]) -> Result<UploadUrl, SealError> {
        const CALL: &str = "KMS Decrypt";
        let request = self
            .client
            .decrypt()
            .key_id(&self.key_id)
            .encryption_context(CONTEXT_KEY, transfer.as_str())
            .ciphertext_blob(Blob::new(sealed));
        let response = match Box::pin(request.send()).await {
            Ok(response) => response,
            Err(error) => {
                return Err(match error.code() {
                    // The URL was sealed with another context or key, or the bytes are no
                    // ciphertext. KMS reports a wrong context as AccessDenied if an IAM policy
                    // restricts the context.
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
        let plaintext =
            response.plaintext.ok_or_else(|| unexpected(CALL, "the response is empty"))?;
        let url = String::from_utf8(plaintext.into_inner()).map_err(|_| SealError::Unreadable)?;
        Ok(UploadUrl::new(url))
    }
}

/// Error for a problem that this adapter detected itself.
fn unexpected(call: &'static str, reason: &'static str) -> SealError {
    SealError::Unavailable(Box::new(Fault::new(call, reason)))
}
