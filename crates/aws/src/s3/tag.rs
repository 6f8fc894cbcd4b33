//! Entity tags as stores and proxies write them.

/// The opaque part of a tag: without the mark of a weak one, without quotes, which some
/// stores leave out.
fn opaque(tag: &str) -> &str {
    let tag = tag.trim();
    let tag = tag.strip_prefix("W/").or_else(|| tag.strip_prefix("w/")).unwrap_or(tag);
    tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(tag)
}

/// Whether two tags are of one object. A proxy that compresses or re-chunks makes a strong
/// tag weak, for one answer and not for the next.
pub(super) fn same(one: &str, other: &str) -> bool {
    opaque(one) == opaque(other)
}

/// The tag in the form that `If-Match` compares (RFC 9110, 13.1.1): a weak one never
/// matches there.
pub(super) fn strong(tag: &str) -> String {
    format!("\"{}\"", opaque(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_strong_and_bare_forms_are_tags_of_one_object() {
        let forms = ["\"x\"", "W/\"x\"", "w/\"x\"", "x", " \"x\" "];
        for one in forms {
            assert_eq!(strong(one), "\"x\"");
            for other in forms {
                assert!(same(one, other), "{one} {other}");
            }
            for other in ["\"y\"", "W/\"xx\"", "X", "", "\"x-1\""] {
                assert!(!same(one, other), "{one} {other}");
            }
        }
    }
}
