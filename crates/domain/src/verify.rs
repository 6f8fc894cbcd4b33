use serde::{Deserialize, Serialize};

use crate::{DocumentName, SourceHash};

/// What the destination says of the delivered item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemFacts {
    /// Size in bytes.
    pub size: u64,
    /// quickXorHash, base64; absent while the service has not computed it.
    pub quick_xor_hash: Option<String>,
}

/// Whether size and hash say that the item is the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Size and hash agree.
    Same,
    /// The size agrees, the hash is not there yet: look again.
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
        // Of no bytes there is nothing more to compare, and no hash to wait for.
        None if same_size && item.size == 0 => Verdict::Same,
        None if same_size => Verdict::HashPending,
        _ => Verdict::Different,
    }
}

/// Proof that a delivered item is the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Evidence {
    /// Size and quickXorHash are those of the bytes that were sent.
    Hash,
    /// The service rewrote the file. Each content part of the ZIP container has the
    /// CRC-32 and the size that it has in the source.
    ContentParts,
    /// The service rewrote the file. It answered our own last byte with this item, the
    /// file is of a kind that it rewrites, and the size is plausible.
    LastByteSent,
}

/// Result of comparing the content parts of source and item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentParts {
    /// Equal, by name, CRC-32 and size.
    Same,
    /// Different, or the item is no ZIP container any more.
    Different,
    /// One of the two cannot be read within the bounds.
    Unreadable,
    /// The source is no ZIP container.
    NotZip,
}

/// Whether an item that differs from its source is the source, rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewriting {
    /// It is, by this evidence.
    Proven(Evidence),
    /// It may be: the service answered our last byte with it, and its content cannot be
    /// compared.
    Unproven,
    /// It is another file.
    Refuted,
}

/// Growth that is plausible for a small file: properties, thumbnails and templates.
const PLAUSIBLE_GROWTH_BYTES: u64 = 1024 * 1024;

/// Whether a file of `source` bytes may have `item` bytes once the service has edited its
/// metadata: at least three quarters stay, and a quarter or 1 MiB may come.
#[must_use]
pub const fn is_plausible_rewriting(source: u64, item: u64) -> bool {
    let quarter = source / 4;
    let growth = if quarter > PLAUSIBLE_GROWTH_BYTES { quarter } else { PLAUSIBLE_GROWTH_BYTES };
    item > 0 && item >= source - quarter && item <= source.saturating_add(growth)
}

/// Judges an item whose size or hash differs from its source.
///
/// OneDrive edits the metadata of Office files and images after the upload, so that size
/// and hash differ although every byte was taken. `sent_last_byte` says that the service
/// answered our own last byte with this very item. The name alone proves nothing, and a
/// ZIP container counts only when its content was compared.
#[must_use]
pub fn judge_rewriting(
    name: &DocumentName,
    (source, item): (u64, u64),
    sent_last_byte: bool,
    parts: ContentParts,
) -> Rewriting {
    if !is_plausible_rewriting(source, item) {
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
    fn only_size_and_hash_together_make_the_same() {
        let source = sent(b"abc");
        let verdict = |item| verify_delivery(&source, &item);
        assert_eq!(verdict(item(3, Some(source.digest()))), Verdict::Same);
        assert_eq!(verdict(item(3, None)), Verdict::HashPending);
        assert_eq!(verdict(item(4, None)), Verdict::Different);
        assert_eq!(verdict(item(3, Some("x".into()))), Verdict::Different);
    }

    const MB: u64 = 1_000_000;

    fn judge(name: &str, item: u64, sent_last_byte: bool, parts: ContentParts) -> Rewriting {
        judge_rewriting(&name.parse().unwrap(), (6 * MB, item), sent_last_byte, parts)
    }

    #[test]
    fn rewritten_zip_counts_only_with_equal_content_parts() {
        use ContentParts::{Different, Same, Unreadable};
        let proven = Rewriting::Proven(Evidence::ContentParts);
        // Whatever the name, and whether or not the last answer was lost.
        for (name, sent_last_byte) in [("a.docx", true), ("a.docx", false), ("a.bin", false)] {
            assert_eq!(judge(name, 6 * MB + 9, sent_last_byte, Same), proven);
            assert_eq!(judge(name, 6 * MB + 9, sent_last_byte, Different), Rewriting::Refuted);
        }
        assert_eq!(judge("a.docx", 6 * MB, true, Unreadable), Rewriting::Unproven);
        assert_eq!(judge("a.docx", 6 * MB, false, Unreadable), Rewriting::Refuted);
    }

    #[test]
    fn rewritten_file_counts_only_when_our_last_byte_was_answered_with_it() {
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
        assert!(is_plausible_rewriting(9_000, 25_000), "a small file may grow a lot");
    }
}
