//! Identifiers of transfers, batches and documents.
//!
//! A transfer delivers one document. A batch consists of several transfers and has an id of
//! the same type. A document has a GUID in the object store, and clients of the downloads API
//! name it by a number.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// Length of a transfer id without a document number, in characters.
const PLAIN_LEN: usize = 32;
/// Number of digits of a document number in a transfer id.
const NUMBER_LEN: usize = 4;
/// Index of the hex digit that contains the UUID version.
const VERSION_INDEX: usize = 12;
/// Number of bits after the UUID version.
const VERSION_SHIFT: u32 = 76;

/// Error for a malformed identifier. The text names the expected form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidId(pub(crate) &'static str);

/// Opaque id of a transfer or batch: 32 lower-case hex digits without dashes, the form that
/// SCV already stores.
///
/// A document of a [`Batch`](crate::job::Batch) is a transfer too. Its id consists of the
/// batch's id and the document's number: `{32 hex digits}_{4 digits}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TransferId(String);

impl TransferId {
    /// Creates the id of a transfer from 128 bits chosen by the caller, such as a UUID
    /// version 7.
    #[must_use]
    pub fn from_u128(bits: u128) -> Self {
        Self(format!("{bits:032x}"))
    }

    /// Creates the id of a batch from 128 bits chosen by the caller. The UUID version is
    /// set to 8 ("custom", RFC 9562), so that the id can be distinguished from that of
    /// a transfer without reading the store.
    #[must_use]
    pub fn of_batch(bits: u128) -> Self {
        let without_version = bits & !(0xf << VERSION_SHIFT);
        Self::from_u128(without_version | (8 << VERSION_SHIFT))
    }

    /// Returns whether [`TransferId::of_batch`] created the id. An older batch may have an id
    /// for which this is `false`.
    #[must_use]
    pub fn is_batch(&self) -> bool {
        self.0.len() == PLAIN_LEN && self.0.as_bytes().get(VERSION_INDEX) == Some(&b'8')
    }

    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the id of a document of the batch with this id. `number` is the number of the
    /// document in the batch, at most 9999.
    #[must_use]
    pub fn document(&self, number: u16) -> Self {
        Self(format!("{}_{number:04}", self.batch_str()))
    }

    /// Returns the id of the batch and the document number, if this is the id of a document of a
    /// batch.
    #[must_use]
    pub fn batch_and_number(&self) -> Option<(Self, u16)> {
        let (batch, number) = self.0.split_once('_')?;
        Some((Self(batch.to_owned()), number.parse().ok()?))
    }

    /// Returns the 32 hex digits of the id, without a document number. For a document of a batch,
    /// they are the id of the batch.
    #[must_use]
    pub fn batch_str(&self) -> &str {
        self.0.get(..PLAIN_LEN).unwrap_or(&self.0)
    }
}

impl FromStr for TransferId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (plain, number) = match text.split_once('_') {
            None => (text, None),
            Some((plain, number)) => (plain, Some(number)),
        };
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_number = |digits: &str| {
            digits.len() == NUMBER_LEN && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        let is_valid =
            plain.len() == PLAIN_LEN && plain.bytes().all(is_hex) && number.is_none_or(is_number);
        is_valid.then(|| Self(text.to_owned())).ok_or(InvalidId("a transfer id is 32 hex digits"))
    }
}

impl TryFrom<String> for TransferId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TransferId> for String {
    fn from(id: TransferId) -> Self {
        id.0
    }
}

impl fmt::Display for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// GUID of a document in the object store, in base64 as the caller sent it.
///
/// docferry returns and forwards the text unchanged, so it stores the text and not the
/// decoded bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectGuid(String);

impl ObjectGuid {
    /// Maximum length of the text, in bytes. A GUID has 16 bytes (24 characters); the
    /// margin allows stores with longer identifiers.
    pub const MAX_LEN: usize = 256;

    /// Returns the text as the caller sent it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ObjectGuid {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(InvalidId("must not be empty"));
        }
        if text.len() > Self::MAX_LEN {
            return Err(InvalidId("must be at most 256 characters"));
        }
        match STANDARD.decode(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(_) => Err(InvalidId("must be base64 (standard alphabet, padded)")),
        }
    }
}

impl TryFrom<String> for ObjectGuid {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ObjectGuid> for String {
    fn from(guid: ObjectGuid) -> Self {
        guid.0
    }
}

/// Number by which clients of the downloads API identify a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FileId(u64);

impl FileId {
    /// Creates an id. The caller must check that the number is in the allowed range when it
    /// comes from a request.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfer_ids_are_32_lower_case_hex_digits() {
        let id = TransferId::from_u128(0xabc);
        assert_eq!(id.as_str().len(), 32);
        assert_eq!(id.as_str().parse(), Ok(id));
        for malformed in
            ["", "abc", "ABCDEF00000000000000000000000000", "../../../etc/passwd0000000000000"]
        {
            assert!(malformed.parse::<TransferId>().is_err(), "{malformed}");
        }
    }

    #[test]
    fn document_id_consists_of_batch_id_and_number() {
        let batch = TransferId::from_u128(7);
        let document = batch.document(12);
        assert_eq!(document.as_str().parse(), Ok(document.clone()));
        assert_eq!(document.batch_and_number(), Some((batch.clone(), 12)));
        assert_eq!(batch.batch_and_number(), None);
        for malformed in ["", "1", "+001", "00001", "000x", "1_2"] {
            assert!(format!("{batch}_{malformed}").parse::<TransferId>().is_err(), "{malformed}");
        }
    }

    #[test]
    fn batch_id_is_distinguished_from_a_transfer_id() {
        // A UUID of version 7. The version is the first digit of `7def`.
        let bits = 0x0193_5678_90ab_7def_8123_4567_89ab_cdef;
        let (transfer, batch) = (TransferId::from_u128(bits), TransferId::of_batch(bits));
        assert_eq!(batch.as_str(), "0193567890ab8def8123456789abcdef");
        assert!(batch.is_batch() && !transfer.is_batch());
        assert!(!batch.document(1).is_batch());
    }

    #[test]
    fn object_guids_are_padded_base64() {
        assert!("3q2+7wAAAAAAAAAAAAAAAA==".parse::<ObjectGuid>().is_ok());
        for malformed in ["", "not base64!", "abc", &"A".repeat(300)] {
            assert!(malformed.parse::<ObjectGuid>().is_err(), "{malformed}");
        }
    }
}
