//! Page tokens of a search.
//!
//! A page token says where a page begins: after a position, which is the sort key of a document.
//! The link to the next page contains the token, and the client sends it back unchanged. docferry
//! stores no tokens.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use docferry_domain::document::Position;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::SearchQuery;
use crate::outcome::{IssueCode, OperationOutcome};
use crate::parameter::PAGE;

/// Length of a key and of a SHA-256 hash, in bytes.
const KEY_BYTES: usize = 32;
/// Length of the block to which HMAC-SHA256 pads its key, in bytes.
const BLOCK_BYTES: usize = 64;
/// Length of a nonce of XChaCha20, in bytes.
const NONCE_BYTES: usize = 24;

/// Key that seals page tokens. Two other keys are derived from it. `Debug` hides the key.
#[derive(Clone)]
pub struct PageKey([u8; KEY_BYTES]);

impl PageKey {
    /// Derives the key from a secret of any length.
    #[must_use]
    pub fn from_secret(secret: &[u8]) -> Self {
        Self(digest(&[b"docferry page key", secret]))
    }
}

impl fmt::Debug for PageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PageKey(…)")
    }
}

/// Writer and reader of the page tokens of one caller's search.
///
/// A token is a sealed position: encrypted, and bound to the caller and the parameters of the
/// search. The binding ensures that a position lies within the range of the search in which it is
/// used. The encryption is necessary because a page may end at a document that the caller may not
/// see.
pub struct PageTokens {
    /// Key from which [`PageTokens::nonce`] derives the nonces.
    nonce_key: [u8; KEY_BYTES],
    /// Cipher that seals the positions.
    cipher: XChaCha20Poly1305,
    /// Hash of the caller and of the parameters of the search.
    binding: [u8; KEY_BYTES],
}

/// Error for a text that is not a page token of this caller's search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the page token does not belong to this search")]
pub struct InvalidPageToken;

impl PageTokens {
    /// Creates the writer and reader for a caller's search.
    #[must_use]
    pub fn new(key: &PageKey, caller: &str, query: &SearchQuery) -> Self {
        let mut parameters: Vec<_> = query.understood().collect();
        parameters.sort_unstable();
        let parameters =
            parameters.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
        let parts: Vec<_> = [caller.as_bytes()].into_iter().chain(parameters).collect();
        let cipher = XChaCha20Poly1305::new(&digest(&[b"seal", &key.0]).into());
        Self { nonce_key: digest(&[b"nonce", &key.0]), cipher, binding: digest(&parts) }
    }

    /// Returns the token of the page that begins after the position `last`.
    #[must_use]
    pub fn write(&self, last: &Position) -> String {
        let position = last.sort_key();
        let nonce = self.nonce(&position);
        let payload = Payload { msg: position.as_bytes(), aad: &self.binding };
        // Sealing fails only for messages above 256 GiB.
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).unwrap_or_default();
        URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat())
    }

    /// Returns the position in a token.
    ///
    /// # Errors
    /// Returns [`InvalidPageToken`] if the token was not written for this caller and search.
    pub fn read(&self, text: &str) -> Result<Position, InvalidPageToken> {
        let token = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidPageToken)?;
        let (nonce, sealed) = token.split_first_chunk::<NONCE_BYTES>().ok_or(InvalidPageToken)?;
        let payload = Payload { msg: sealed, aad: &self.binding };
        let position = self.cipher.decrypt(&XNonce::from(*nonce), payload);
        let position = position.ok().and_then(|position| String::from_utf8(position).ok());
        position.and_then(|position| Position::from_sort_key(&position)).ok_or(InvalidPageToken)
    }

    /// Derives the nonce from the search and the position. Two tokens have the same nonce only if
    /// both are equal, so no random numbers are necessary.
    fn nonce(&self, position: &str) -> [u8; NONCE_BYTES] {
        let mut block = [0; BLOCK_BYTES];
        block.iter_mut().zip(self.nonce_key).for_each(|(to, from)| *to = from);
        let mac = Hmac::<Sha256>::new(&block.into());
        let mac = mac.chain_update(self.binding).chain_update(position).finalize().into_bytes();
        let mut nonce = [0; NONCE_BYTES];
        nonce.iter_mut().zip(mac).for_each(|(to, from)| *to = from);
        nonce
    }
}

impl From<InvalidPageToken> for OperationOutcome {
    fn from(error: InvalidPageToken) -> Self {
        Self::of_parameter(PAGE, IssueCode::Value, error.to_string())
    }
}

/// Returns the hash of several parts. It includes the length of each part, so that two different
/// lists of parts have different hashes.
fn digest(parts: &[&[u8]]) -> [u8; KEY_BYTES] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}
