//! Verification of a delivered file against its source.
//!
//! OneDrive rewrites some files after the upload, so a different hash is not always an
//! error. [`verify_delivery`] compares size and hash; [`judge_rewriting`] judges the files
//! that differ.

use serde::{Deserialize, Serialize};

use crate::document::{DocumentName, SourceHash};

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
    /// The size agrees, and the hash is not computed yet: check again later.
    HashPending,
    /// Size or hash differs. Only then does [`judge_rewriting`] apply.
    Different,
}

/// Compares the delivered item with the bytes that were sent.
#[must_use]
pub fn verify_delivery(source: &SourceHash, item: &ItemFacts) -> Verdict {
    let same_size = item.size == source.hashed_to();
    match &item.quick_xor_hash {
        Some(hash) if same_size && *hash == source.digest() => Verdict::Same,
        // An empty file has no content to compare, so it needs no hash.
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
    /// The service rewrote the file. Each content part of the ZIP container has the
    /// CRC-32 and the size that it has in the source.
    ContentParts,
    /// The service rewrote the file. It answered this upload's last byte with the item, it
    /// rewrites files of this type, and the size is plausible.
    LastByteSent,
}

/// Result of comparing the content parts of source and item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentParts {
    /// All parts are equal in name, CRC-32 and size.
    Same,
    /// A part differs, or the item is no longer a ZIP container.
    Different,
    /// One of the two containers cannot be read within the limits.
    Unreadable,
    /// The source is not a ZIP container.
    NotZip,
}

/// Result of judging an item that differs from its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewriting {
    /// The item is the document in a rewritten form, by this evidence.
    Proven(Evidence),
    /// The item may be the document: the service answered this upload's last byte with it,
    /// but the contents cannot be compared.
    Unproven,
    /// The item is another file.
    Refuted,
}

/// Growth that is plausible even for a small file, in bytes: properties, thumbnails and
/// templates.
const PLAUSIBLE_GROWTH_BYTES: u64 = 1024 * 1024;

/// Sizes of a source and of the item that is compared with it, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ComparedSizes {
    /// Size of the source.
    pub source: u64,
    /// Size of the item at the destination.
    pub item: u64,
}

/// Returns whether a source may have the item's size after the service edited its metadata. It may lose up to a quarter. It may gain a quarter or 1 MiB, whichever is
/// more.
#[must_use]
pub const fn is_plausible_rewriting(sizes: ComparedSizes) -> bool {
    let ComparedSizes { source, item } = sizes;
    let quarter = source / 4;
    let growth = if quarter > PLAUSIBLE_GROWTH_BYTES { quarter } else { PLAUSIBLE_GROWTH_BYTES };
    item > 0 && item >= source - quarter && item <= source.saturating_add(growth)
}

/// Judges an item whose size or hash differs from its source.
///
/// OneDrive edits the metadata of Office files and images after the upload, so size and
/// hash may differ although every byte was accepted. `sent_last_byte` tells whether the
/// service answered this upload's last byte with this very item. The name alone proves
/// nothing, and a ZIP container counts only when its content was compared.
#[must_use]
pub fn judge_rewriting(
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

    fn sent(bytes: &[u8]) -> SourceHash {
        let mut hash = SourceHash::default();
        assert!(hash.fold(0, bytes));
        hash
    }

    fn item(size: u64, hash: Option<String>) -> ItemFacts {
        ItemFacts { size, quick_xor_hash: hash }
    }

    #[test]
    fn delivery_is_verified_only_by_size_and_hash_together() {
        let source = sent(b"abc");
        let verdict = |item| verify_delivery(&source, &item);
        assert_eq!(verdict(item(3, Some(source.digest()))), Verdict::Same);
        assert_eq!(verdict(item(3, None)), Verdict::HashPending);
        assert_eq!(verdict(item(4, None)), Verdict::Different);
        assert_eq!(verdict(item(3, Some("x".into()))), Verdict::Different);
    }

    const MB: u64 = 1_000_000;

    fn judge(name: &str, item: u64, sent_last_byte: bool, parts: ContentParts) -> Rewriting {
        let sizes = ComparedSizes { source: 6 * MB, item };
        judge_rewriting(&name.parse().unwrap(), sizes, sent_last_byte, parts)
    }

    #[test]
    fn rewritten_zip_counts_only_with_equal_content_parts() {
        use ContentParts::{Different, Same, Unreadable};
        let proven = Rewriting::Proven(Evidence::ContentParts);
        // The name and a lost last answer make no difference.
        for (name, sent_last_byte) in [("a.docx", true), ("a.docx", false), ("a.bin", false)] {
            assert_eq!(judge(name, 6 * MB + 9, sent_last_byte, Same), proven);
            assert_eq!(judge(name, 6 * MB + 9, sent_last_byte, Different), Rewriting::Refuted);
        }
        assert_eq!(judge("a.docx", 6 * MB, true, Unreadable), Rewriting::Unproven);
        assert_eq!(judge("a.docx", 6 * MB, false, Unreadable), Rewriting::Refuted);
    }

    #[test]
    fn rewritten_file_counts_only_as_the_answer_to_the_last_byte() {
        let proven = Rewriting::Proven(Evidence::LastByteSent);
        let office =
            ["order.doc", "list.XLS", "slides.ppt", "a.potm", "a.ppsm", "a.vsdm", "no.docx"];
        for name in office.into_iter().chain(["photo.jpg", "scan.TIFF"]) {
            assert_eq!(judge(name, 6 * MB + 50, true, ContentParts::NotZip), proven, "{name}");
            let found = judge(name, 6 * MB + 50, false, ContentParts::NotZip);
            assert_eq!(found, Rewriting::Refuted, "{name}");
        }
        for name in ["order.pdf", "order", "order.xyz"] {
            let unknown = judge(name, 6 * MB + 50, true, ContentParts::NotZip);
            assert_eq!(unknown, Rewriting::Refuted, "{name}");
        }
    }

    #[test]
    fn item_of_an_implausible_size_is_not_a_rewritten_file() {
        for size in [0, 10, 4 * MB, 8 * MB, u64::MAX] {
            for parts in [ContentParts::Same, ContentParts::NotZip] {
                assert_eq!(judge("order.doc", size, true, parts), Rewriting::Refuted, "{size}");
            }
        }
        let small = ComparedSizes { source: 9_000, item: 25_000 };
        assert!(is_plausible_rewriting(small), "a small file may grow a lot");
    }
}
