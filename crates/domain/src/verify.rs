use crate::{DocumentName, SourceHash};

/// What the destination says of the delivered item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemFacts {
    /// Size in bytes.
    pub size: u64,
    /// quickXorHash, base64; absent while the service has not computed it.
    pub quick_xor_hash: Option<String>,
}

/// Whether the item is the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Size and hash agree.
    Same,
    /// The size agrees, the hash is not there yet: look again.
    HashPending,
    /// An Office file that the service rewrote after it had taken our bytes.
    Rewritten,
    /// Not our bytes.
    Different,
}

/// Compares the delivered item with the bytes that were sent.
///
/// OneDrive may write properties into Office files after the upload, so that
/// size and hash differ although every byte was taken. That is accepted only
/// for names of such files, and only in the answer to the upload itself
/// (`whole_sent`), never when an item was merely found at the destination.
#[must_use]
pub fn verify_delivery(
    source: &SourceHash,
    name: &DocumentName,
    item: &ItemFacts,
    whole_sent: bool,
) -> Verdict {
    let same_size = item.size == source.hashed_to();
    match &item.quick_xor_hash {
        Some(hash) if same_size && *hash == source.digest() => Verdict::Same,
        // Of no bytes there is nothing more to compare, and no hash to wait for.
        None if same_size && item.size == 0 => Verdict::Same,
        None if same_size => Verdict::HashPending,
        _ if whole_sent && name.is_office() => Verdict::Rewritten,
        _ => Verdict::Different,
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
        let name: DocumentName = "a.pdf".parse().unwrap();
        let verdict = |item, whole| verify_delivery(&source, &name, &item, whole);
        assert_eq!(verdict(item(3, Some(source.digest())), true), Verdict::Same);
        assert_eq!(verdict(item(3, None), true), Verdict::HashPending);
        assert_eq!(verdict(item(4, None), true), Verdict::Different);
        assert_eq!(verdict(item(3, Some("x".into())), true), Verdict::Different);
    }

    #[test]
    fn a_rewritten_office_file_is_accepted_only_when_we_sent_all_of_it() {
        let source = sent(b"abc");
        let name: DocumentName = "Order.DOCX".parse().unwrap();
        let changed = item(900, Some("x".into()));
        assert_eq!(verify_delivery(&source, &name, &changed, true), Verdict::Rewritten);
        assert_eq!(verify_delivery(&source, &name, &changed, false), Verdict::Different);
    }
}
