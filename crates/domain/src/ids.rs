use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// An identifier that is not of its form; the text says which form that is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidId(&'static str);

/// The opaque id of a transfer: 32 lower-case hex digits without dashes, the
/// form that the court viewer already stores.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TransferId(String);

impl TransferId {
    /// The id for 128 bits chosen by the caller (a UUID version 7, say).
    #[must_use]
    pub fn from_u128(bits: u128) -> Self {
        Self(format!("{bits:032x}"))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TransferId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ok = text.len() == 32
            && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        ok.then(|| Self(text.to_owned())).ok_or(InvalidId("a transfer id is 32 hex digits"))
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

/// The object store's GUID of a document, base64 as the caller gave it.
///
/// It is echoed and passed on as sent, so the text is kept, not the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectGuid(String);

impl ObjectGuid {
    /// Longest accepted text, in bytes. A GUID is 16 bytes (24 characters); the
    /// margin admits stores whose identifiers are longer.
    pub const MAX_LEN: usize = 256;

    /// The text as the caller sent it.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfer_ids_are_32_lower_case_hex_digits() {
        let id = TransferId::from_u128(0xabc);
        assert_eq!(id.as_str().len(), 32);
        assert_eq!(id.as_str().parse(), Ok(id));
        for bad in
            ["", "abc", "ABCDEF00000000000000000000000000", "../../../etc/passwd0000000000000"]
        {
            assert!(bad.parse::<TransferId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn object_guids_are_padded_base64() {
        assert!("3q2+7wAAAAAAAAAAAAAAAA==".parse::<ObjectGuid>().is_ok());
        for bad in ["", "not base64!", "abc", &"A".repeat(300)] {
            assert!(bad.parse::<ObjectGuid>().is_err(), "{bad}");
        }
    }
}
