//! Detection of duplicate members in JSON objects, such as `{"a":1,"a":2}`. Request bodies with
//! duplicates are rejected.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Maximum number of duplicates to report.
const MAX_REPORTED: usize = 20;

/// Returns JSON pointers (RFC 6901) to the members that occur more than once in their object.
///
/// Some JSON parsers use the first of several duplicates, others the last. If one parser validates
/// a body and another one uses it, they may see different values.
pub(crate) fn duplicate_members(text: &[u8]) -> serde_json::Result<Vec<String>> {
    let mut pointer = String::new();
    let mut duplicates = Vec::new();
    let mut reader = serde_json::Deserializer::from_slice(text);
    DuplicateFinder { pointer: &mut pointer, duplicates: &mut duplicates }
        .deserialize(&mut reader)?;
    Ok(duplicates)
}

/// Visitor that reads one JSON value and collects the duplicate members in it.
struct DuplicateFinder<'a> {
    /// JSON pointer to the value being read.
    pointer: &'a mut String,
    /// JSON pointers to the duplicates found so far.
    duplicates: &'a mut Vec<String>,
}

impl DuplicateFinder<'_> {
    /// Calls `read` for a value inside the current one. During the call, the pointer is extended by
    /// `name`, which is a member name or an array index.
    fn within<T>(&mut self, name: &str, read: impl FnOnce(DuplicateFinder<'_>) -> T) -> T {
        let parent_length = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
        let pointer = &mut *self.pointer;
        let result = read(DuplicateFinder { pointer, duplicates: &mut *self.duplicates });
        self.pointer.truncate(parent_length);
        result
    }
}

impl<'de> DeserializeSeed<'de> for DuplicateFinder<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for DuplicateFinder<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        let mut index = 0_usize;
        while self
            .within(&index.to_string(), |element| elements.next_element_seed(element))?
            .is_some()
        {
            index += 1;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            self.within(&name, |member| {
                if names.contains(&name) && member.duplicates.len() < MAX_REPORTED {
                    member.duplicates.push(member.pointer.clone());
                }
                members.next_value_seed(member)
            })?;
            names.insert(name);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicate_members_are_reported_with_their_pointers() {
        for (text, pointers) in [
            (r#"{"a":1,"b":{"a":[1,"a",null,true,1.5,-1]}}"#, vec![]),
            (r#"{"a":1,"a":1}"#, vec!["/a"]),
            // `\u0061` is the letter `a`.
            (r#"{"a":1,"\u0061":2,"A":3}"#, vec!["/a"]),
            (r#"{"o":{"x":1,"y":2,"x":3}}"#, vec!["/o/x"]),
            (r#"[{}, {"a/b~c":1,"a/b~c":2}]"#, vec!["/1/a~1b~0c"]),
            (r#"{"a":{"b":1,"b":2},"a":{"b":1,"b":2}}"#, vec!["/a/b", "/a", "/a/b"]),
            (r#""text""#, vec![]),
        ] {
            assert_eq!(duplicate_members(text.as_bytes()).unwrap(), pointers, "{text}");
        }
    }

    #[test]
    fn number_of_reported_duplicate_members_is_limited() {
        let many = format!("{{{}\"a\":1}}", "\"a\":1,".repeat(1000));
        assert_eq!(duplicate_members(many.as_bytes()).unwrap().len(), MAX_REPORTED);
    }

    #[test]
    fn text_that_is_not_json_is_an_error() {
        for bad in ["", "{", "{\"a\":}", "\"\\ud800\""] {
            assert!(duplicate_members(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    /// The parser limits the depth, so that it does not overflow the stack.
    #[test]
    fn deeply_nested_json_is_an_error() {
        let deep = "[".repeat(100_000);
        assert!(duplicate_members(deep.as_bytes()).is_err());
    }
}
