//! Document of `CompleteMultipartUpload` that lists the parts of the object.

use roxmltree::{Document, Node};

use crate::error::S3Error;

/// A part in the list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ListedPart {
    pub(super) number: u32,
    pub(super) etag: String,
    /// Base64 of the CRC-32.
    pub(super) crc: Option<String>,
    /// Whether the part has a checksum of another algorithm.
    pub(super) has_other_checksum: bool,
}

/// Parses the document.
pub(super) fn parse(body: &[u8]) -> Result<Vec<ListedPart>, S3Error> {
    let malformed = || {
        S3Error::bad_request(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published \
             schema",
        )
    };
    let text = std::str::from_utf8(body).map_err(|_error| malformed())?;
    let document = Document::parse(text).map_err(|_error| malformed())?;
    let root = document.root_element();
    if root.tag_name().name() != "CompleteMultipartUpload" {
        return Err(malformed());
    }
    let parts: Option<Vec<_>> = root.children().filter(Node::is_element).map(parse_part).collect();
    parts.filter(|parts| (1..=10_000).contains(&parts.len())).ok_or_else(malformed)
}

fn parse_part(node: Node<'_, '_>) -> Option<ListedPart> {
    let child = |name: &str| {
        let child = node.children().find(|child| child.tag_name().name() == name)?;
        Some(child.text().unwrap_or_default().trim().to_owned())
    };
    let is_other_checksum = |child: Node<'_, '_>| {
        let name = child.tag_name().name();
        name.starts_with("Checksum") && name != "ChecksumCRC32"
    };
    (node.tag_name().name() == "Part").then_some(())?;
    Some(ListedPart {
        number: child("PartNumber")?.parse().ok()?,
        etag: child("ETag")?,
        crc: child("ChecksumCRC32"),
        has_other_checksum: node.children().any(is_other_checksum),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_parts_are_parsed_with_and_without_a_namespace() {
        for attribute in ["", " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""] {
            let body = format!(
                "<?xml version=\"1.0\"?><CompleteMultipartUpload{attribute}>\n<Part><ETag>&quot;a&quot;</ETag>\
                 <PartNumber>1</PartNumber><ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part>\
                 <Part><PartNumber>2</PartNumber><ETag>b</ETag><ChecksumSHA1>x</ChecksumSHA1></Part>\
                 </CompleteMultipartUpload>"
            );
            let part = |number, etag: &str, crc: Option<&str>, has_other_checksum| ListedPart {
                number,
                etag: etag.to_owned(),
                crc: crc.map(ToOwned::to_owned),
                has_other_checksum,
            };
            let expected = [part(1, "\"a\"", Some("AAAAAA=="), false), part(2, "b", None, true)];
            assert_eq!(parse(body.as_bytes()).unwrap(), expected);
        }
    }

    #[test]
    fn malformed_lists_are_refused() {
        for body in [
            "",
            "<CompleteMultipartUpload>",
            "<CompleteMultipartUpload/>",
            "<Other><Part><PartNumber>1</PartNumber><ETag>a</ETag></Part></Other>",
            "<CompleteMultipartUpload><Part><ETag>a</ETag></Part></CompleteMultipartUpload>",
        ] {
            assert!(parse(body.as_bytes()).is_err(), "{body}");
        }
    }
}
