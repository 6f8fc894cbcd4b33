//! Documents that the demo sends.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::pdf::pdf;

const PDF: &str = "application/pdf";

/// Origin of a document's bytes.
#[derive(Debug)]
pub(crate) enum Content {
    /// These bytes are uploaded to the object store.
    Bytes(Vec<u8>),
    /// The object store generates the bytes, because there are too many to upload.
    Generated { bytes: u64, seed: u64 },
    /// Another item has already added this document.
    SameDocument,
    /// The document does not exist.
    Unknown,
}

/// Expected end of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The document is in the recipient's OneDrive.
    Delivered,
    /// The transfer fails and reports the reason.
    NotFound,
    /// The transfer is stopped midway and leaves nothing behind.
    Terminated,
}

/// One document of the demo for one recipient.
#[derive(Debug)]
pub(crate) struct Item {
    /// Name in the results table.
    pub(crate) label: &'static str,
    /// GUID in the object store, in base64.
    pub(crate) guid: String,
    pub(crate) filename: &'static str,
    pub(crate) mimetype: &'static str,
    /// Index of the recipient in the list of users.
    pub(crate) recipient: usize,
    /// Folder in the recipient's OneDrive; `None` is the root.
    pub(crate) folder: Option<&'static str>,
    pub(crate) content: Content,
    pub(crate) end: End,
}

impl Item {
    /// Returns whether the document exists.
    pub(crate) fn is_known(&self) -> bool {
        self.end != End::NotFound
    }

    /// Returns the expected path in the recipient's OneDrive, without a leading slash.
    pub(crate) fn destination(&self) -> String {
        match self.folder {
            Some(folder) => format!("{folder}/{}", self.filename),
            None => self.filename.to_owned(),
        }
    }
}

/// Returns the documents, each with a difficulty of its own: a real one, a large one, an empty one,
/// one with a name that breaks careless encoding, one that is stopped while its bytes move, one for
/// two recipients at the same time, and one that does not exist.
pub(crate) fn documents() -> Vec<Item> {
    let plain = |filename, mimetype, folder, content| Item {
        label: filename,
        guid: guid(),
        filename,
        mimetype,
        recipient: 0,
        folder,
        content,
        end: End::Delivered,
    };
    let shared = plain(
        "Notice of hearing.pdf",
        PDF,
        Some("NotificationOutbox"),
        Content::Bytes(pdf(4_000_000, 3)),
    );
    let second = Item {
        label: "Notice of hearing.pdf (2nd user)",
        guid: shared.guid.clone(),
        recipient: 1,
        ..plain(shared.filename, PDF, shared.folder, Content::SameDocument)
    };
    vec![
        plain(
            "Reasons for judgment.pdf",
            PDF,
            Some("Judgments"),
            Content::Bytes(pdf(15_000_000, 1)),
        ),
        plain(
            "Exhibit 12 video.mp4",
            "video/mp4",
            Some("Exhibits"),
            Content::Generated { bytes: 300_000_000, seed: 300 },
        ),
        plain("empty.txt", "text/plain", None, Content::Bytes(Vec::new())),
        plain(
            "Ōtāhuhu #3 50% + l'été 法廷.pdf",
            PDF,
            Some("Court Lists/2026-11-23/Courtroom 201"),
            Content::Bytes(pdf(1_500_000, 2)),
        ),
        Item {
            label: "Hearing recording.mp4 (stopped)",
            end: End::Terminated,
            ..plain(
                "Hearing recording.mp4",
                "video/mp4",
                Some("Recordings"),
                Content::Generated { bytes: 250_000_000, seed: 250 },
            )
        },
        shared,
        second,
        Item { end: End::NotFound, ..plain("(unknown document)", "", None, Content::Unknown) },
    ]
}

fn guid() -> String {
    STANDARD.encode(fastrand::u128(..).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn demo_documents_cover_all_difficulties() {
        let items = documents();
        let sizes: Vec<_> = items
            .iter()
            .map(|item| match &item.content {
                Content::Bytes(bytes) => Some(bytes.len() as u64),
                Content::Generated { bytes, .. } => Some(*bytes),
                Content::SameDocument | Content::Unknown => None,
            })
            .collect();
        assert!((15_000_000..16_000_000).contains(&sizes[0].unwrap()));
        assert_eq!((sizes[1], sizes[2], sizes[7]), (Some(300_000_000), Some(0), None));
        for needed in ['#', '%', '+', '\'', ' ', '法'] {
            assert!(items[3].destination().contains(needed), "{needed}");
        }
        // Large enough to be stopped midway.
        assert!(items[4].end == End::Terminated && sizes[4].unwrap() > 200_000_000);
        let (first, second) = (&items[5], &items[6]);
        assert_eq!((&first.guid, first.destination()), (&second.guid, second.destination()));
        assert_ne!(first.recipient, second.recipient);
        assert!(items.iter().all(|item| STANDARD.decode(&item.guid).unwrap().len() == 16));
    }
}
