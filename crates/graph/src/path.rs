//! URL paths of the calls of Microsoft Graph, relative to its base URL.

use docferry_app::ports::Destination;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Characters to encode in a path segment: all except the "unreserved" ones of RFC 3986. So `#`,
/// `%`, `+` and `'` have no special meaning in names.
const ENCODED_IN_SEGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Percent-encodes one path segment as UTF-8.
pub(crate) fn segment(text: &str) -> String {
    utf8_percent_encode(text, ENCODED_IN_SEGMENT).to_string()
}

/// Returns the path of a user, addressed by principal name.
///
/// Graph would read a name that begins with `$` as an OData segment. Such a name is therefore
/// written as a key in parentheses, and its quotes are doubled.
pub(crate) fn user(principal_name: &str) -> String {
    if principal_name.starts_with('$') {
        let key = principal_name.replace('\'', "''");
        format!("/v1.0/users('{}')?$select=id", segment(&key))
    } else {
        format!("/v1.0/users/{}?$select=id", segment(principal_name))
    }
}

/// Returns the path of a user's drive.
pub(crate) fn drive(user_id: &str) -> String {
    format!("/v1.0/users/{}/drive", segment(user_id))
}

/// Returns the path of the item at the destination. A segment may be appended after a colon:
/// `{item}:/content`.
pub(crate) fn item(user_id: &str, destination: &Destination) -> String {
    let folder: String =
        destination.folder.segments().iter().map(|name| format!("{}/", segment(name))).collect();
    let name = segment(destination.name.as_str());
    format!("{}/root:/{folder}{name}", drive(user_id))
}

/// Returns the path of a folder. `names` contains the names of all folders from the root to it.
pub(crate) fn folder(user_id: &str, names: &[impl AsRef<str>]) -> String {
    let path: Vec<String> = names.iter().map(|name| segment(name.as_ref())).collect();
    format!("{}/root:/{}", drive(user_id), path.join("/"))
}

/// Returns the path of the content of an item, addressed by its id.
pub(crate) fn content(user_id: &str, item_id: &str) -> String {
    format!("{}/items/{}/content", drive(user_id), segment(item_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination(folder: &str, name: &str) -> Destination {
        Destination {
            recipient: "a@b.example".parse().unwrap(),
            folder: folder.parse().unwrap(),
            name: name.parse().unwrap(),
        }
    }

    #[test]
    fn special_and_non_ascii_characters_are_encoded_per_segment() {
        let destination_with_symbols = destination("#3 50%/l'été", "a+b 法廷.pdf");
        assert_eq!(
            item("u-1", &destination_with_symbols),
            "/v1.0/users/u-1/drive/root:/%233%2050%25/l%27%C3%A9t%C3%A9/a%2Bb%20%E6%B3%95%E5%BB%B7.pdf"
        );
        assert_eq!(item("u-1", &destination("", "a.pdf")), "/v1.0/users/u-1/drive/root:/a.pdf");
    }

    #[test]
    fn user_with_leading_dollar_is_addressed_as_a_key() {
        assert_eq!(
            user("ada#EXT#@court.example"),
            "/v1.0/users/ada%23EXT%23%40court.example?$select=id"
        );
        assert_eq!(
            user("$o'hara@court.example"),
            "/v1.0/users('%24o%27%27hara%40court.example')?$select=id"
        );
    }
}
