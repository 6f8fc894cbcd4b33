//! Page tokens: where the next page of a search begins.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use docferry_domain::document::Position;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::SearchQuery;

/// Length of the authentication code, in bytes.
const CODE_BYTES: usize = 16;

/// Length of the block to which HMAC-SHA256 pads its key, in bytes.
const BLOCK_BYTES: usize = 64;

/// Key by which page tokens are authenticated. `Debug` hides it.
#[derive(Clone)]
pub struct PageKey([u8; BLOCK_BYTES]);

impl PageKey {
    /// Derives the key from a secret of any length.
    #[must_use]
    pub fn from_secret(secret: &[u8]) -> Self {
        let mut block = [0; BLOCK_BYTES];
        block.iter_mut().zip(Sha256::digest(secret)).for_each(|(to, from)| *to = from);
        Self(block)
    }
}

impl fmt::Debug for PageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PageKey(…)")
    }
}

/// Writer and reader of the tokens of one search.
///
/// A token contains the position of the last document of its page, authenticated together with the
/// caller and the parameters of the search. So it is valid for the caller and the search that it
/// was written for, and its position lies within the range of that search.
#[derive(Debug, Clone)]
pub struct PageTokens(Hmac<Sha256>);

/// The text is not a page token of this search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the page token does not belong to this search")]
pub struct InvalidPageToken;

impl PageTokens {
    /// Returns the tokens of a caller's search.
    #[must_use]
    pub fn new(key: &PageKey, caller: &str, query: &SearchQuery) -> Self {
        let mut code = Hmac::<Sha256>::new(&key.0.into());
        let mut parameters: Vec<_> = query.understood().collect();
        parameters.sort_unstable();
        let parts = parameters.iter().flat_map(|(name, value)| [*name, *value]);
        for part in [caller].into_iter().chain(parts) {
            code.update(&part.len().to_be_bytes());
            code.update(part.as_bytes());
        }
        // Ends the list of parts, so that no part can be taken for a position.
        code.update(&usize::MAX.to_be_bytes());
        Self(code)
    }

    /// Returns the token of the page that follows a position.
    #[must_use]
    pub fn write(&self, last: &Position) -> String {
        let position = last.sort_key();
        let code = self.0.clone().chain_update(position.as_bytes()).finalize().into_bytes();
        let mut token: Vec<u8> = code.into_iter().take(CODE_BYTES).collect();
        token.extend(position.as_bytes());
        URL_SAFE_NO_PAD.encode(token)
    }

    /// Returns the position that a token names.
    ///
    /// # Errors
    /// [`InvalidPageToken`] if the token was not written for this caller and search.
    pub fn read(&self, text: &str) -> Result<Position, InvalidPageToken> {
        let token = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidPageToken)?;
        let (code, position) = token.split_at_checked(CODE_BYTES).ok_or(InvalidPageToken)?;
        let expected = self.0.clone().chain_update(position);
        expected.verify_truncated_left(code).map_err(|_| InvalidPageToken)?;
        let position = std::str::from_utf8(position).ok().and_then(Position::from_sort_key);
        position.ok_or(InvalidPageToken)
    }
}
