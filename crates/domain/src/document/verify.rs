//! Verification of a delivered file (the *item*) against the document that was sent (the
//! *source*).
//!
//! [`verify_delivery`] compares size and hash. OneDrive edits the metadata of some files after
//! the upload, so a different hash is not always an error. [`classify_rewriting`] decides
//! whether an item that differs is still the document.

use serde::{Deserialize, Serialize};

use crate::document::{DocumentName, SourceHash};

/// Growth that is plausible even for a small file, in bytes. The service may add properties,
/// thumbnails and templates.
const PLAUSIBLE_GROWTH_BYTES: u64 = 1024 * 1024;

/// Size and hash of a delivered item, as the destination reports them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemFacts {
    /// Size in bytes.
    pub size: u64,
    /// quickXorHash in base64; `None` while the service has not computed it.
    pub quick_xor_hash: Option<String>,
}

/// Result of comparing size and hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Size and hash agree.
    Same,
    /// The size agrees, but the service has not computed the hash yet. Check again later.
    HashPending,
    /// Size or hash differs. [`classify_rewriting`] decides whether the item is the document.
    Different,
}

/// Compares size and hash of the delivered item with those of the bytes that were sent.
#[must_use]
pub fn verify_delivery(source: &SourceHash, item: &ItemFacts) -> Verdict {
    // The whole source has been hashed, so the number of hashed bytes is its size.
    let same_size = item.size == source.hashed_to();
    match &item.quick_xor_hash {
        Some(hash) if same_size && *hash == source.digest() => Verdict::Same,
        // An empty file needs no hash, because it has no content to compare.
        None if same_size && item.size == 0 => Verdict::Same,
        None if same_size => Verdict::HashPending,
        _ => Verdict::Different,
    }
}

/// Evidence that a delivered item is the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Evidence {
    /// Size and quickXorHash are those of the bytes that were sent.
    Hash,
    /// The service rewrote the file, which is a ZIP container. Each content part has the same
    /// CRC-32 and size as in the source.
    ContentParts,
    /// The service rewrote the file. The evidence is indirect: the service returned the item in
    /// response to this upload's last byte, it edits files of this type, and the size is plausible.
    LastByteSent,
}

/// Result of comparing the content parts of source and item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentParts {
    /// Source and item have the same parts, with equal names, CRC-32 and sizes.
    Same,
    /// A part differs, or the item is no longer a ZIP container.
    Different,
    /// One of the two containers cannot be read within the limits.
    Unreadable,
    /// The source is not a ZIP container.
    NotZip,
}

/// Classification of an item that differs from its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewriting {
    /// The item is the document in a rewritten form. The evidence proves it.
    Proven(Evidence),
    /// The item may be the document: the service returned it in response to this upload's last
    /// byte. But the contents cannot be compared.
    Unproven,
    /// The item is another file.
    Refuted,
}

/// Sizes of a source and of the item that is compared with it, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ComparedSizes {
    /// Size of the source.
    pub source: u64,
    /// Size of the item at the destination.
    pub item: u64,
}

/// Returns whether an edit of the source's metadata may have led to the item's size. The file may
/// shrink by at most a quarter. It may grow by a quarter or by 1 MiB, whichever is more.
#[must_use]
pub const fn is_plausible_rewriting(sizes: ComparedSizes) -> bool {
    let ComparedSizes { source, item } = sizes;
    let quarter = source / 4;
    let growth = if quarter > PLAUSIBLE_GROWTH_BYTES { quarter } else { PLAUSIBLE_GROWTH_BYTES };
    item > 0 && item >= source - quarter && item <= source.saturating_add(growth)
}

/// Decides whether an item whose size or hash differs from its source is the document.
///
/// OneDrive edits the metadata of Office files and images after the upload. So size and hash may
/// differ although OneDrive has accepted every byte. These values decide:
///
/// - `parts`: the comparison of the content parts, which are the files inside a ZIP container. Only
///   equal content parts prove that a ZIP container is the document.
/// - `sent_last_byte`: whether the service returned this item in response to this upload's last
///   byte.
/// - `name`: its extension shows whether the service edits such files. The name alone proves
///   nothing.
#[must_use]
pub fn classify_rewriting(
    name: &DocumentName,
    sizes: ComparedSizes,
    sent_last_byte: bool,
    parts: ContentParts,
) -> Rewriting {
    if !is_plausible_rewriting(sizes) {
        return Rewriting::Refuted;
    }
    match parts {
        ContentParts::Same => Rewriting::Proven(Evidence::ContentParts),
        ContentParts::Unreadable if sent_last_byte => Rewriting::Unproven,
        ContentParts::NotZip if sent_last_byte && name.is_edited_by_service() => {
            Rewriting::Proven(Evidence::LastByteSent)
        }
        _ => Rewriting::Refuted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash_of(bytes: &[u8]) -> SourceHash {
        let mut hash = SourceHash::default();
        assert!(hash.update_at(0, bytes));
        hash
    }

    fn item(size: u64, hash: Option<String>) -> ItemFacts {
        ItemFacts { size, quick_xor_hash: hash }
    }

    #[test]
    fn delivery_is_verified_only_by_size_and_hash_together() {
        let source = hash_of(b"abc");
        let verdict = |item| verify_delivery(&source, &item);
        assert_eq!(verdict(item(3, Some(source.digest()))), Verdict::Same);
        assert_eq!(verdict(item(3, None)), Verdict::HashPending);
        assert_eq!(verdict(item(4, None)), Verdict::Different);
        assert_eq!(verdict(item(3, Some("x".into()))), Verdict::Different);
    }

    const MB: u64 = 1_000_000;
    const SOURCE_SIZE: u64 = 6 * MB;

    /// Classifies an item of `size` bytes, whose source has [`SOURCE_SIZE`].
    fn classify(name: &str, size: u64, sent_last_byte: bool, parts: ContentParts) -> Rewriting {
        let sizes = ComparedSizes { source: SOURCE_SIZE, item: size };
        classify_rewriting(&name.parse().unwrap(), sizes, sent_last_byte, parts)
    }

    #[test]
    fn rewritten_zip_is_proven_only_by_equal_content_parts() {
        use ContentParts::{Different, Same, Unreadable};
        let proven = Rewriting::Proven(Evidence::ContentParts);
        // The result depends neither on the name nor on the response to the last byte.
        for (name, sent_last_byte) in [("a.docx", true), ("a.docx", false), ("a.bin", false)] {
            assert_eq!(classify(name, SOURCE_SIZE + 9, sent_last_byte, Same), proven);
            assert_eq!(
                classify(name, SOURCE_SIZE + 9, sent_last_byte, Different),
                Rewriting::Refuted
            );
        }
        assert_eq!(classify("a.docx", SOURCE_SIZE, true, Unreadable), Rewriting::Unproven);
        assert_eq!(classify("a.docx", SOURCE_SIZE, false, Unreadable), Rewriting::Refuted);
    }

    #[test]
    fn rewritten_file_is_proven_only_by_the_response_to_the_last_byte() {
        let proven = Rewriting::Proven(Evidence::LastByteSent);
        let office_files =
            ["order.doc", "list.XLS", "slides.ppt", "a.potm", "a.ppsm", "a.vsdm", "no.docx"];
        for name in office_files.into_iter().chain(["photo.jpg", "scan.TIFF"]) {
            assert_eq!(
                classify(name, SOURCE_SIZE + 50, true, ContentParts::NotZip),
                proven,
                "{name}"
            );
            let without_response = classify(name, SOURCE_SIZE + 50, false, ContentParts::NotZip);
            assert_eq!(without_response, Rewriting::Refuted, "{name}");
        }
        for name in ["order.pdf", "order", "order.xyz"] {
            let other_type = classify(name, SOURCE_SIZE + 50, true, ContentParts::NotZip);
            assert_eq!(other_type, Rewriting::Refuted, "{name}");
        }
    }

    #[test]
    fn item_of_an_implausible_size_is_not_a_rewritten_file() {
        for size in [0, 10, 4 * MB, 8 * MB, u64::MAX] {
            for parts in [ContentParts::Same, ContentParts::NotZip] {
                assert_eq!(classify("order.doc", size, true, parts), Rewriting::Refuted, "{size}");
            }
        }
    }

    #[test]
    fn small_file_may_grow_by_more_than_a_quarter() {
        assert!(is_plausible_rewriting(ComparedSizes { source: 9_000, item: 25_000 }));
    }
}
