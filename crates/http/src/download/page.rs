//! Page tokens of job lists. The response with one page contains a *token* for the next page, which
//! encodes the position of the last job.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use docferry_app::job::list::Filter;
use docferry_app::ports::JobPosition;
use sha2::{Digest as _, Sha256};

/// Length of the hash that binds a token to its caller and filter, in bytes.
const BINDING_BYTES: usize = 12;
/// Length of a timestamp in bytes.
const TIMESTAMP_BYTES: usize = 8;

/// Writer and reader of the page tokens of one list. A token is valid only for the caller and the
/// filter of the list. Tokens are not signed: a forged token leads only to another page of the
/// caller's own list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PageTokens([u8; BINDING_BYTES]);

/// Error for a text that is not a page token of this list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InvalidPageToken;

impl PageTokens {
    /// Returns the writer and reader for a caller's list with this filter.
    pub(super) fn for_list(owner: &str, filter: &Filter) -> Self {
        let state = filter.state.map_or("", |state| state.as_str());
        let person = filter.person.as_ref().map_or("", |person| person.as_str());
        let mut hasher = Sha256::new();
        for part in [owner, state, person] {
            hasher.update(part.len().to_be_bytes());
            hasher.update(part);
        }
        let hash = hasher.finalize();
        let mut binding = [0; BINDING_BYTES];
        binding.iter_mut().zip(hash).for_each(|(target, byte)| *target = byte);
        Self(binding)
    }

    /// Returns the token of the page that begins after the position `place`.
    pub(super) fn write(self, place: &JobPosition) -> String {
        let mut bytes = self.0.to_vec();
        bytes.extend(place.created_ms.to_be_bytes());
        bytes.extend(place.id.as_str().as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Returns the position after which the page of a token begins.
    pub(super) fn read(self, text: &str) -> Result<JobPosition, InvalidPageToken> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidPageToken)?;
        let position = bytes.strip_prefix(self.0.as_slice()).ok_or(InvalidPageToken)?;
        let (time, id) = position.split_first_chunk::<TIMESTAMP_BYTES>().ok_or(InvalidPageToken)?;
        let id = std::str::from_utf8(id).ok().and_then(|id| id.parse().ok());
        Ok(JobPosition { created_ms: i64::from_be_bytes(*time), id: id.ok_or(InvalidPageToken)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use docferry_domain::ids::TransferId;
    use docferry_domain::job::JobState;
    use docferry_domain::person::Person;

    #[test]
    fn page_token_is_valid_only_for_its_caller_and_filter() {
        let failed = Filter { state: Some(JobState::Failed), person: None };
        let of_ada = Filter { state: None, person: Some(Person::new("ada")) };
        let place = JobPosition { created_ms: 1_700_000_000_000, id: TransferId::from_u128(7) };

        let token = PageTokens::for_list("me", &failed).write(&place);

        assert_eq!(PageTokens::for_list("me", &failed).read(&token), Ok(place));
        for (owner, filter) in [("you", &failed), ("me", &of_ada), ("me", &Filter::default())] {
            assert_eq!(PageTokens::for_list(owner, filter).read(&token), Err(InvalidPageToken));
        }
        for bad in ["", "!", "AAAA", &token[..20]] {
            assert_eq!(
                PageTokens::for_list("me", &failed).read(bad),
                Err(InvalidPageToken),
                "{bad}"
            );
        }
    }
}
