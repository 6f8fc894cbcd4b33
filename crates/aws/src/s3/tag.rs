//! Comparison of ETags in the various forms that stores and proxies send.

/// Returns the opaque part of an ETag: without the prefix `W/` of weak ETags and without quotes,
/// which some stores omit.
fn opaque(tag: &str) -> &str {
    let tag = tag.trim();
    let tag = tag.strip_prefix("W/").or_else(|| tag.strip_prefix("w/")).unwrap_or(tag);
    tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(tag)
}

/// Returns whether two ETags identify the same version of an object. Weak and strong forms
/// compare as equal, because a proxy that compresses or re-chunks a response makes its ETag
/// weak, and the ETag of the next response may be strong again.
pub(super) fn same(left: &str, right: &str) -> bool {
    opaque(left) == opaque(right)
}

/// Returns the ETag in strong form. `If-Match` uses strong comparison, in which a weak ETag
/// never matches (RFC 9110, section 13.1.1).
pub(super) fn strong(tag: &str) -> String {
    format!("\"{}\"", opaque(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_strong_and_unquoted_etags_compare_as_equal() {
        let forms = ["\"x\"", "W/\"x\"", "w/\"x\"", "x", " \"x\" "];
        for form in forms {
            assert_eq!(strong(form), "\"x\"");
            for other in forms {
                assert!(same(form, other), "{form} {other}");
            }
            for other in ["\"y\"", "W/\"xx\"", "X", "", "\"x-1\""] {
                assert!(!same(form, other), "{form} {other}");
            }
        }
    }
}
