//! Position of a document in the list of its subject's documents.
//!
//! A *subject* is the court file or patient that a document concerns. The registry stores positions
//! as sort keys, so that it can return the documents of a time range in order.

use jiff::Timestamp;

use super::DocumentId;

/// Separator of time and id in a sort key. It sorts before every character of an id.
const SEPARATOR: char = '#';

/// Position of a document. Positions are ordered by the time at which the document was indexed. For
/// equal times, they are ordered by the document's id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Time at which the document was indexed, in whole milliseconds.
    pub indexed: Timestamp,
    /// Id of the document.
    pub id: DocumentId,
}

impl Position {
    /// Returns the position as a text whose byte order is the order of positions.
    #[must_use]
    pub fn sort_key(&self) -> String {
        format!("{}{SEPARATOR}{}", Self::time_key(self.indexed), self.id)
    }

    /// Returns the time part of a sort key, as the boundary of a time range. It sorts after the
    /// sort keys of all earlier times, and before the sort keys of `time` itself and of all later
    /// times.
    #[must_use]
    pub fn time_key(time: Timestamp) -> String {
        time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
    }

    /// Reads a sort key. Returns `None` for any text that [`Position::sort_key`] does not write.
    #[must_use]
    pub fn from_sort_key(text: &str) -> Option<Self> {
        let (time, id) = text.split_once(SEPARATOR)?;
        let position = Self { indexed: time.parse().ok()?, id: id.parse().ok()? };
        (position.sort_key() == text).then_some(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Positions in the years 1 to 9999, often close together.
    fn any_position() -> impl Strategy<Value = Position> {
        let time = prop_oneof![0..3_i64, -62_135_596_800_000..253_402_300_799_999_i64];
        (time, "[a-c.-]{1,3}").prop_map(|(time, id)| Position {
            indexed: Timestamp::from_millisecond(time).unwrap(),
            id: id.parse().unwrap(),
        })
    }

    #[test]
    fn sort_key_has_a_fixed_width_of_time() {
        let position = Position { indexed: Timestamp::UNIX_EPOCH, id: "a-1".parse().unwrap() };
        assert_eq!(position.sort_key(), "1970-01-01T00:00:00.000Z#a-1");
        for bad in ["", "#", "1970-01-01T00:00:00Z#a", "1970-01-01T00:00:00.000Z#", "x#a"] {
            assert_eq!(Position::from_sort_key(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn sort_keys_have_the_order_of_positions(a in any_position(), b in any_position()) {
            prop_assert_eq!(a.sort_key().cmp(&b.sort_key()), a.cmp(&b));
            prop_assert_eq!(Position::from_sort_key(&a.sort_key()), Some(a.clone()));
            let is_before = a.sort_key() < Position::time_key(b.indexed);
            prop_assert_eq!(is_before, a.indexed < b.indexed);
        }
    }
}
